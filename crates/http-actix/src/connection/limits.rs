//! How a connection knows of its requests and of how their answers are taken; which requests are refused
//! for their head or their number.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest};

use super::watch::{self, Open};
use crate::code::Code;
use crate::problem::Problem;
use crate::state::ApiSettings;

/// What a header line has beside its name and value: a colon, a space, and its end.
const LINE_BYTES: usize = 4;
/// actix copies whatever a body gives into the connection's buffer, and only then looks whether the client
/// takes it: no more than this at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// Has the connection of `req` know of it, until the answer is sent.
pub(crate) fn begin(req: &HttpRequest) -> Option<Open> {
    watch::of(req).map(|watch| watch.begin(has_body(req)))
}

fn has_body(req: &HttpRequest) -> bool {
    let length = req.headers().get(CONTENT_LENGTH).map(|length| length.as_bytes());
    length.is_some_and(|length| length != b"0") || req.chunked().unwrap_or(true)
}

/// Refuses a request whose head is too large, or one too many at once on its connection.
pub(crate) fn check(req: &HttpRequest, settings: &ApiSettings) -> Result<(), Problem> {
    let ApiSettings { head_bytes_max, target_bytes_max, .. } = settings;
    let target = req.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > *target_bytes_max {
        let detail =
            format!("Path and query are at most {target_bytes_max} bytes. Nothing was done.");
        return Err(Problem::new(Code::TargetTooLong, detail));
    }
    let headers = req.headers().iter();
    let bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    if target + bytes + LINE_BYTES * req.headers().len() > *head_bytes_max {
        let detail = format!(
            "Path, query and headers are at most {head_bytes_max} bytes. Nothing was done."
        );
        return Err(Problem::new(Code::HeadTooLarge, detail));
    }
    if watch::of(req).is_some_and(|watch| watch.is_crowded()) {
        let detail =
            "This connection has too many requests at once. Nothing was done; wait for answers.";
        return Err(Problem::new(Code::Overloaded, detail));
    }
    Ok(())
}

/// The body of an answer: its request is open until all of it was taken.
pub(crate) struct Answering {
    body: BoxBody,
    /// What the body has given and nobody has asked for yet.
    rest: Bytes,
    open: Option<Open>,
}

impl Answering {
    pub(crate) fn new(body: BoxBody, open: Option<Open>) -> Self {
        Self { body, rest: Bytes::new(), open }
    }
}

impl MessageBody for Answering {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(part)) => this.rest = part,
                end => return Poll::Ready(end),
            }
        }
        if let Some(open) = &this.open {
            open.goes_on();
        }
        let piece = this.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(this.rest.split_to(piece))))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_large_answer_is_handed_out_in_pieces() {
        let whole =
            Bytes::from((0..=u8::MAX).cycle().take(2 * PIECE_BYTES + 1).collect::<Vec<_>>());
        let body = BoxBody::new(whole.clone());
        let mut answer = Answering::new(body, None);
        let mut pieces = Vec::new();
        while let Some(piece) = poll_fn(|cx| Pin::new(&mut answer).poll_next(cx)).await {
            pieces.push(piece.expect("a piece"));
        }
        let lengths: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES, 1]);
        assert_eq!(pieces.concat(), whole);
    }
}
