//! usage: generator PROTO_FOLDER OUT_FOLDER FILE...   writes OUT_FOLDER/v1.rs: the messages and clients of remora.v1
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let proto = PathBuf::from(arguments.next().expect("PROTO_FOLDER"));
    let out = PathBuf::from(arguments.next().expect("OUT_FOLDER"));
    let files: Vec<PathBuf> = arguments.map(|file| proto.join(file)).collect();
    tonic_prost_build::configure()
        .build_server(false)
        .out_dir(&out)
        .compile_protos(&files, &[proto])?;
    std::fs::rename(out.join("remora.v1.rs"), Path::new(&out).join("v1.rs"))
}
