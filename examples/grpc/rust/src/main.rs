//! remora.v1.ChatService from Rust: unary, a stream with its fallback, typed error details, a deadline, cancelling.
//!
//!     make stubs LANGUAGES=rust
//!     cargo run --manifest-path examples/grpc/rust/Cargo.toml -- 127.0.0.1:7361
use std::{env, error::Error, time::Duration};

use remora_grpc::v1::{
    chat_service_client::ChatServiceClient, content_part, stream_chat_response::Event, ChatRequest,
    ContentPart, Message, Role, StreamChatRequest,
};
use tonic::{
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
    Request, Status,
};
use tonic_types::StatusExt;

type Chat = ChatServiceClient<Channel>;

/// tonic has no wait-for-ready; a sidecar may start after the service.
async fn wait_for(endpoint: &Endpoint, limit: Duration) -> Result<Channel, Box<dyn Error>> {
    let attempts = async {
        loop {
            match endpoint.connect().await {
                Ok(channel) => return channel,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    Ok(tokio::time::timeout(limit, attempts).await?)
}

/// TLS with the CA of REMORA_CA, where the gateway is not a sidecar.
fn endpoint(address: &str) -> Result<Endpoint, Box<dyn Error>> {
    if address.starts_with("unix:") {
        return Ok(Endpoint::from_shared(address.to_string())?);
    }
    let Ok(ca) = env::var("REMORA_CA") else {
        return Ok(Endpoint::from_shared(format!("http://{address}"))?);
    };
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(ca)?));
    Ok(Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?)
}

async fn connect(address: &str) -> Result<Chat, Box<dyn Error>> {
    let endpoint = endpoint(address)?.http2_keep_alive_interval(Duration::from_secs(30));
    let channel = wait_for(&endpoint, Duration::from_secs(30)).await?;
    // Answers may hold pictures; the default is 4 MiB.
    Ok(ChatServiceClient::new(channel).max_decoding_message_size(32 << 20))
}

/// With a deadline and, where the gateway has keys, ours.
fn within<T>(limit: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    if let Ok(key) = env::var("REMORA_API_KEY") {
        let value = format!("Bearer {key}").parse().expect("a key is ASCII");
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn question(model: &str) -> ChatRequest {
    let text = ContentPart {
        kind: Some(content_part::Kind::Text("Say hello.".into())),
        ..Default::default()
    };
    let user = Message {
        role: Role::User.into(),
        parts: vec![text],
        ..Default::default()
    };
    ChatRequest {
        model: model.into(),
        messages: vec![user],
        ..Default::default()
    }
}

fn streamed() -> StreamChatRequest {
    StreamChatRequest {
        chat: Some(question("demo/echo-1")),
        ..Default::default()
    }
}

async fn unary(chat: &mut Chat) -> Result<(), Status> {
    let answer = chat
        .chat(within(Duration::from_secs(30), question("demo/echo-1")))
        .await?
        .into_inner();
    if let Some(content_part::Kind::Text(text)) = answer.choices[0]
        .message
        .as_ref()
        .and_then(|m| m.parts[0].kind.as_ref())
    {
        println!("unary: {text}");
    }
    Ok(())
}

async fn stream(chat: &mut Chat) -> Result<(), Status> {
    let mut events = chat
        .stream_chat(within(Duration::from_secs(30), streamed()))
        .await?
        .into_inner();
    print!("stream: ");
    while let Some(event) = events.message().await? {
        match event.event {
            Some(Event::Text(delta)) => print!("{}", delta.text),
            Some(Event::Completed(end)) => {
                // without it the text is not whole
                let attempts = end.route.unwrap_or_default().attempts;
                let outcome = |reason: String| {
                    if reason.is_empty() {
                        "answered".into()
                    } else {
                        reason
                    }
                };
                let route: Vec<_> = attempts
                    .into_iter()
                    .map(|a| format!("{} {}", a.provider, outcome(a.reason)))
                    .collect();
                println!("\nroute: {}", route.join(", "));
            }
            _ => {} // started, choice_finished and what a later version adds
        }
    }
    Ok(())
}

async fn refused(chat: &mut Chat) {
    if let Err(status) = chat
        .chat(within(Duration::from_secs(30), question("nobody/has-this")))
        .await
    {
        let details = status.get_error_details();
        let reason = details
            .error_info()
            .map(|info| info.reason.as_str())
            .unwrap_or_default();
        let field = details
            .bad_request()
            .map(|bad| bad.field_violations[0].field.as_str())
            .unwrap_or_default();
        println!("refused: {:?} {reason} in {field}", status.code());
    }
}

/// tonic tells the gateway the deadline and keeps it for the head of the answer; for the stream behind it the gateway's
/// status counts.
async fn deadline(chat: &mut Chat) {
    let follow = async {
        let mut events = chat
            .stream_chat(within(Duration::from_millis(200), streamed()))
            .await?
            .into_inner();
        while events.message().await?.is_some() {}
        Ok::<(), Status>(())
    };
    if let Err(status) = follow.await {
        println!("deadline: {:?}", status.code());
    }
}

async fn cancelled(chat: &mut Chat) -> Result<(), Status> {
    let mut events = chat
        .stream_chat(within(Duration::from_secs(30), streamed()))
        .await?
        .into_inner();
    while let Some(event) = events.message().await? {
        if let Some(Event::Text(delta)) = event.event {
            println!("cancelled: after '{}'", delta.text);
            break; // dropping the stream cancels: the gateway gives up its request to the provider
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:7361".into());
    let mut chat = connect(&address).await?;
    unary(&mut chat).await?;
    stream(&mut chat).await?;
    refused(&mut chat).await;
    deadline(&mut chat).await;
    cancelled(&mut chat).await?;
    Ok(())
}
