package dev.remora.example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.remora.v1.Attempt;
import dev.remora.v1.ChatRequest;
import dev.remora.v1.ChatServiceGrpc;
import dev.remora.v1.ChatServiceGrpc.ChatServiceBlockingStub;
import dev.remora.v1.ContentPart;
import dev.remora.v1.Message;
import dev.remora.v1.Role;
import dev.remora.v1.StreamChatRequest;
import dev.remora.v1.StreamChatResponse;
import io.grpc.ChannelCredentials;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * remora.v1.ChatService from Java: unary, a stream with its fallback, typed error details, a deadline, cancelling.
 *
 * <pre>
 * make stubs LANGUAGES=java
 * mvn -f build/stubs/java install
 * mvn -f examples/grpc/java compile exec:java -Dexec.args=127.0.0.1:7361
 * </pre>
 */
public final class Chat {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    /** TLS with the CA of REMORA_CA, where the gateway is not a sidecar. */
    private static ChannelCredentials security() throws IOException {
        String ca = System.getenv("REMORA_CA");
        return ca == null ? InsecureChannelCredentials.create()
                : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    }

    private static ManagedChannel connect(String address) throws IOException {
        return Grpc.newChannelBuilder(address, security())
                .disableRetry() // the gateway asks other providers; a second call would be a second answer to pay for
                .maxInboundMessageSize(32 << 20) // answers may hold pictures; the default is 4 MiB
                .keepAliveTime(30, TimeUnit.SECONDS)
                .build();
    }

    /** With our key, where the gateway has keys. */
    private static ChatServiceBlockingStub stub(ManagedChannel channel) {
        Metadata metadata = new Metadata();
        if (System.getenv("REMORA_API_KEY") != null) {
            metadata.put(AUTHORIZATION, "Bearer " + System.getenv("REMORA_API_KEY"));
        }
        return ChatServiceGrpc.newBlockingStub(channel)
                .withWaitForReady() // a sidecar may start after the service
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata));
    }

    /** A deadline begins when it is set: each call sets its own. */
    private static ChatServiceBlockingStub within(ChatServiceBlockingStub chat, long millis) {
        return chat.withDeadlineAfter(millis, TimeUnit.MILLISECONDS);
    }

    private static ChatRequest question(String model) {
        Message user = Message.newBuilder().setRole(Role.ROLE_USER)
                .addParts(ContentPart.newBuilder().setText("Say hello.")).build();
        return ChatRequest.newBuilder().setModel(model).addMessages(user).build();
    }

    private static StreamChatRequest streamed() {
        return StreamChatRequest.newBuilder().setChat(question("demo/echo-1")).build();
    }

    private static void unary(ChatServiceBlockingStub chat) {
        var answer = within(chat, 30_000).chat(question("demo/echo-1"));
        System.out.println("unary: " + answer.getChoices(0).getMessage().getParts(0).getText());
    }

    private static String outcome(Attempt attempt) {
        return attempt.getProvider() + " " + (attempt.getReason().isEmpty() ? "answered" : attempt.getReason());
    }

    private static void stream(ChatServiceBlockingStub chat) {
        System.out.print("stream: ");
        Iterator<StreamChatResponse> events = within(chat, 30_000).streamChat(streamed());
        while (events.hasNext()) {
            StreamChatResponse event = events.next();
            switch (event.getEventCase()) {
                case TEXT -> System.out.print(event.getText().getText());
                case COMPLETED -> System.out.println("\nroute: " // without it the text is not whole
                        + event.getCompleted().getRoute().getAttemptsList().stream().map(Chat::outcome)
                                .collect(Collectors.joining(", ")));
                default -> { } // started, choice_finished and what a later version adds
            }
        }
    }

    private static void refused(ChatServiceBlockingStub chat) throws InvalidProtocolBufferException {
        try {
            within(chat, 30_000).chat(question("nobody/has-this"));
        } catch (StatusRuntimeException error) {
            String reason = "";
            String field = "";
            for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
                if (detail.is(ErrorInfo.class)) {
                    reason = detail.unpack(ErrorInfo.class).getReason();
                } else if (detail.is(BadRequest.class)) {
                    field = detail.unpack(BadRequest.class).getFieldViolations(0).getField();
                }
            }
            System.out.println("refused: " + error.getStatus().getCode() + " " + reason + " in " + field);
        }
    }

    private static void deadline(ChatServiceBlockingStub chat) {
        try {
            within(chat, 200).streamChat(streamed()).forEachRemaining(event -> { });
        } catch (StatusRuntimeException error) {
            System.out.println("deadline: " + error.getStatus().getCode());
        }
    }

    private static void cancelled(ChatServiceBlockingStub chat) throws Exception {
        try (Context.CancellableContext context = Context.current().withCancellation()) {
            Iterator<StreamChatResponse> events = context.call(() -> within(chat, 30_000).streamChat(streamed()));
            StreamChatResponse event = events.next();
            while (!event.hasText()) {
                event = events.next();
            }
            System.out.println("cancelled: after '" + event.getText().getText() + "'");
        } // closing the context cancels: the gateway gives up its request to the provider
    }

    public static void main(String[] arguments) throws Exception {
        ManagedChannel channel = connect(arguments.length > 0 ? arguments[0] : "127.0.0.1:7361");
        try {
            ChatServiceBlockingStub chat = stub(channel);
            unary(chat);
            stream(chat);
            refused(chat);
            deadline(chat);
            cancelled(chat);
        } finally {
            channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
        }
    }
}
