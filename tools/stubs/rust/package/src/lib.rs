//! remora.v1, the gRPC API of the Remora LLM gateway: messages and clients, generated.
#[allow(clippy::all)]
pub mod v1;
