# What runs of a request have taught the compiler: profile/ holds counts of gcc, one file for each source whose code runs then,
# made by tests/bench/train.py. They say which way branches go and what is worth inlining (docs/benchmarks.md). A function that
# has changed since is compiled as without, and so is everything by another compiler than the counts are of.
set(REMORA_PROFILE "use" CACHE STRING "use | make (a program that counts, for tests/bench/train.py) | off")
set(profile_gcc 12)
set(REMORA_PROFILE_IS_READ FALSE)
# By their number in the file: gcc else knows static functions by the path of their source, and the same source in another
# folder would become another program.
set(profile_options --param=profile-func-internal-id=1)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT REMORA_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU"
   AND CMAKE_C_COMPILER_VERSION MATCHES "^${profile_gcc}\\." AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  if(REMORA_PROFILE STREQUAL "make")
    add_compile_options(-fprofile-generate -fprofile-update=atomic ${profile_options})
    add_link_options(-fprofile-generate)
  elseif(REMORA_PROFILE STREQUAL "use")
    set(REMORA_PROFILE_IS_READ TRUE)
  endif()
endif()

# For the sources of one room, as absolute paths.
function(remora_read_profile target sources)
  foreach(source IN LISTS sources)
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/src ${source})
    set(counts ${CMAKE_SOURCE_DIR}/profile/${name}.gcda)
    if(REMORA_PROFILE_IS_READ AND EXISTS ${counts})
      # gcc looks for them beside the object.
      set(beside ${CMAKE_BINARY_DIR}/src/CMakeFiles/${target}.dir/${name}.gcda)
      configure_file(${counts} ${beside} COPYONLY)
      set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${beside}
        COMPILE_OPTIONS "-fprofile-use;-fprofile-correction;${profile_options};-Wno-missing-profile;-Wno-coverage-mismatch")
    endif()
  endforeach()
endfunction()
