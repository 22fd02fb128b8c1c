//! What the requests of a connection tell the guard around its socket.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::HttpRequest;

/// Requests of one HTTP/2 connection that may be unanswered, or have answers that it has not taken;
/// one more is refused. HTTP/1.1 has one at a time.
const OPEN_MAX: u32 = 1_000;

/// One for each connection, shared by its socket and its requests.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Whether it is TLS.
    secure: bool,
    /// Whether it is HTTP/2: many requests at once, and frames between them.
    pub(super) multiplexed: bool,
    open: Cell<u32>,
    heads: Cell<u64>,
    parts: Cell<u64>,
    unread: Cell<bool>,
}

impl Watch {
    pub(super) fn new(secure: bool, multiplexed: bool) -> Rc<Self> {
        Rc::new(Self {
            secure,
            multiplexed,
            open: Cell::new(0),
            heads: Cell::new(0),
            parts: Cell::new(0),
            unread: Cell::new(false),
        })
    }

    /// A request's head has arrived, and its body is to come if it `has_body`.
    pub(super) fn begin(self: &Rc<Self>, has_body: bool) -> Open {
        self.heads.set(self.heads.get().wrapping_add(1));
        self.open.set(self.open.get() + 1);
        self.unread.set(has_body);
        Open(Rc::clone(self))
    }

    /// How many heads have arrived so far.
    pub(super) fn heads(&self) -> u64 {
        self.heads.get()
    }

    /// How many parts of answers were asked for because those before them were taken: a stream that
    /// is read has more and more of them.
    pub(super) fn parts(&self) -> u64 {
        self.parts.get()
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.open.get() > 0
    }

    /// Whether what the last request announced as its body was not read to its end. Nothing behind
    /// it is a request: actix closes the connection.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.get()
    }

    /// Whether it has more requests at once than it may.
    pub(super) fn is_crowded(&self) -> bool {
        self.open.get() > OPEN_MAX
    }

    /// Whether it goes on asking while it is refused: no client does that, but one that does not
    /// read the refusals.
    pub(super) fn is_flooded(&self) -> bool {
        self.open.get() > 2 * OPEN_MAX
    }
}

/// A request that is being answered, until its answer was taken or dropped.
#[derive(Debug)]
pub(crate) struct Open(Rc<Watch>);

impl Open {
    /// Another part of the answer is on its way.
    pub(super) fn goes_on(&self) {
        self.0.parts.set(self.0.parts.get().wrapping_add(1));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// The watch over the connection of `req`; there is none in tests without a socket.
pub(super) fn of(req: &HttpRequest) -> Option<&Rc<Watch>> {
    req.conn_data()
}

/// The body of `req` was read to its end: what comes next is another request.
pub(crate) fn body_was_read(req: &HttpRequest) {
    if let Some(watch) = of(req) {
        watch.unread.set(false);
    }
}

/// Whether `req` came by TLS.
pub(crate) fn is_secure(req: &HttpRequest) -> bool {
    of(req).is_some_and(|watch| watch.secure)
}
