//! What a client's connection may cost: how many there are from one address, how long a handshake,
//! a request's head or the reading of an answer may take, how large a head may be.
//!
//! actix bounds the first head of a connection and the silence between requests. It does not bound a
//! later head that comes byte by byte, nor a client that does not read its answers, nor what one
//! HTTP/2 connection asks for at once. [`Guarded`] does, around the socket; [`Watch`] is how the
//! requests tell it what they are at. One request costs it two readings of the clock; the timer
//! behind it is set at most once a timeout, not once a request.

mod door;
mod guarded;
mod limits;
mod peers;
mod timer;
mod tls;
mod transport;
mod watch;

pub(crate) use door::Door;
pub(crate) use guarded::Guarded;
pub(crate) use limits::{Answering, begin, check};
pub(crate) use peers::network;
pub use tls::Tls;
pub(crate) use watch::{body_was_read, is_secure};
