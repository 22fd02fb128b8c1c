//! Chunked bodies that are answered before they have ended.
//!
//! When a handler drops a chunked body, actix reads on until the client ends it, with no deadline:
//! a silent client would hold its connection for ever. While the body's reader is alive, actix
//! closes the connection soon after the answer instead, as it does when the length is known. So the
//! reader is kept until the answer is sent.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::web::Bytes;
use futures_util::{Stream, stream};

/// The reader of a request's body, which its handler borrows.
pub(crate) struct Reader(Rc<RefCell<Payload>>);

impl Reader {
    /// Takes the reader of `req`, if its body is chunked, and lends it to the handler.
    pub(crate) fn of(req: &mut ServiceRequest) -> Option<Self> {
        if !req.chunked().unwrap_or(true) {
            return None;
        }
        let reader = Rc::new(RefCell::new(req.take_payload()));
        let lent = reader.clone();
        let stream = stream::poll_fn(move |cx| Pin::new(&mut *lent.borrow_mut()).poll_next(cx));
        req.set_payload(Payload::Stream { payload: Box::pin(stream) });
        Some(Self(reader))
    }

    /// The body of the answer, which keeps the reader until it is sent.
    pub(crate) fn kept_by(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Keeping { body, _reader: self.0 })
    }
}

struct Keeping {
    body: BoxBody,
    _reader: Rc<RefCell<Payload>>,
}

impl MessageBody for Keeping {
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
