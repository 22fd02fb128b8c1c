//! The body of an answer that keeps something until it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// `body`, which holds `held` until all of it was taken, or its client is gone.
pub(crate) struct Holding<T> {
    body: BoxBody,
    _held: T,
}

impl<T> Holding<T> {
    pub(crate) fn new(body: BoxBody, held: T) -> Self {
        Self { body, _held: held }
    }
}

impl<T: Unpin> MessageBody for Holding<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
