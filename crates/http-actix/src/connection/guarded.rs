//! A socket with deadlines.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::peers::Place;
use super::timer::Timer;
use super::transport::Transport;
use super::watch::Watch;
use crate::metric_names::CONNECTIONS_CUT;

/// What one head may have before the connection is cut. It is less than the 64 KiB beyond which
/// actix 3.20 panics over a header's name; smaller limits are the API's, which can say so.
const HEAD_BYTES_CUT: usize = 60 * 1024;
/// What actix is given of HTTP/1.1 before it looks for requests in it. It takes out all that it finds, each
/// with a few KiB of its own, and reads 128 KiB: megabytes for whoever sends many requests at once.
const STEP_BYTES: usize = 4 * 1024;
/// How long an HTTP/2 connection may go without another request while it has answers to take, on
/// top of the silence that it may keep: longer than any command or read takes.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// What a client must take of an answer within a write timeout, unless that is all of it.
const WRITE_BYTES_MIN: usize = 16 * 1024;

thread_local! {
    /// Where a step is read to: making room for it in what actix gives would zero that room each time.
    static STEP: RefCell<[u8; STEP_BYTES]> = const { RefCell::new([0; STEP_BYTES]) };
}

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// To send a head, from its first byte. The first of a connection is actix's to judge.
    pub(super) head: Duration,
    /// To take [`WRITE_BYTES_MIN`] of an answer.
    pub(super) write: Duration,
    /// To send the next request, on HTTP/2. On HTTP/1.1 that is actix's to judge.
    pub(super) idle: Duration,
}

/// A client's connection, as actix gets it. A deadline that passes is an error of its socket, on
/// which actix drops it and everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Guarded {
    io: Transport,
    watch: Rc<Watch>,
    timeouts: Timeouts,
    timer: Timer,
    reading: Reading,
    writing: Writing,
    /// Bytes that were read since actix looked for requests.
    step: usize,
    _place: Place,
}

/// What has come since the last request.
#[derive(Debug, Default)]
struct Reading {
    /// Heads that had arrived when it began.
    heads: u64,
    /// Parts of answers that were on their way by then.
    parts: u64,
    bytes: usize,
    due: Option<Instant>,
    /// Whether a request was being answered when it was looked at last.
    busy: bool,
    /// Whether actix was given all that a head may have, and must now find one in it.
    full: bool,
}

/// What the client has not taken.
#[derive(Debug, Default)]
struct Writing {
    due: Option<Instant>,
    /// Bytes taken since `due` was set.
    bytes: usize,
}

impl Guarded {
    pub(super) fn new(io: Transport, watch: Rc<Watch>, timeouts: Timeouts, place: Place) -> Self {
        Self {
            io,
            watch,
            timeouts,
            timer: Timer::default(),
            reading: Reading::default(),
            writing: Writing::default(),
            step: 0,
            _place: place,
        }
    }

    /// What its requests share with it.
    pub(crate) fn watch(&self) -> Rc<Watch> {
        Rc::clone(&self.watch)
    }

    /// Forgets what was read before the last head arrived, or belongs to a request.
    fn catch_up(&mut self) {
        let (heads, parts, busy) = (self.watch.heads(), self.watch.parts(), self.watch.is_busy());
        let was_busy = std::mem::replace(&mut self.reading.busy, busy);
        let same = (heads, parts, busy) == (self.reading.heads, self.reading.parts, was_busy);
        if !same || (busy && !self.watch.multiplexed) {
            self.reading = Reading { heads, parts, busy, ..Reading::default() };
        }
        if self.reading.due.is_some() {
            return;
        }
        if self.watch.multiplexed {
            // Its window tells whether a client takes an answer, and that is not seen here.
            let taking = if busy { ANSWER_TIME_MAX } else { Duration::ZERO };
            self.reading.due = Some(Instant::now() + self.timeouts.idle + taking);
        } else if busy {
            // One request at a time: what comes now is its body, or waits for its answer.
        } else if self.watch.is_unread() {
            // actix reads on behind an answer that came early, but nobody waits for the end.
            self.reading.due = Some(Instant::now() + self.timeouts.head);
        }
    }

    /// Whether bytes that come now are a head, or the part of one.
    fn expects_head(&self) -> bool {
        !self.watch.multiplexed && !self.watch.is_busy() && !self.watch.is_unread()
    }

    fn has_read(&mut self, bytes: usize) {
        self.step += bytes;
        if bytes == 0 || !self.expects_head() {
            return;
        }
        self.reading.bytes += bytes;
        // The first head is timed by actix, which answers 408.
        if self.reading.heads > 0 && self.reading.due.is_none() {
            self.reading.due = Some(Instant::now() + self.timeouts.head);
        }
    }

    fn has_written(&mut self, bytes: usize, of: usize) {
        self.writing.bytes += bytes;
        if bytes == of || self.writing.bytes >= WRITE_BYTES_MIN {
            self.writing = Writing::default();
        }
    }

    /// The client takes nothing more, for now.
    fn is_blocked(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.writing.due.is_none() {
            self.writing = Writing { due: Some(Instant::now() + self.timeouts.write), bytes: 0 };
        }
        self.check(cx)
    }

    /// Fails once a deadline has passed, and has the task woken at the next one.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let (read, write) = (self.reading.due, self.writing.due);
        let due = match (read, write) {
            (None, None) => return Ok(()),
            (Some(due), None) | (None, Some(due)) => due,
            (Some(read), Some(write)) => read.min(write),
        };
        if self.timer.poll_until(due, cx).is_pending() {
            return Ok(());
        }
        Err(cut(match (write == Some(due), self.watch.multiplexed) {
            (true, _) => "slow_reader",
            (false, false) => "slow_head",
            (false, true) if self.reading.busy => "slow_reader",
            (false, true) => "idle",
        }))
    }

    /// Reads at most `bytes_max`.
    fn read_some(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        bytes_max: usize,
    ) -> Poll<io::Result<()>> {
        STEP.with_borrow_mut(|step| {
            let room = bytes_max.min(buf.remaining()).min(step.len());
            let mut part = ReadBuf::new(&mut step[..room]);
            let read = Pin::new(&mut self.io).poll_read(cx, &mut part);
            buf.put_slice(part.filled());
            read
        })
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.is_flooded() {
            return Poll::Ready(Err(cut("flood")));
        }
        this.catch_up();
        if !this.watch.multiplexed && this.step >= STEP_BYTES {
            this.step = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let left = HEAD_BYTES_CUT - this.reading.bytes.min(HEAD_BYTES_CUT);
        if left == 0 {
            if this.reading.full {
                return Poll::Ready(Err(cut("huge_head")));
            }
            // What actix has may be many requests, or the half of one: it looks when there is no
            // more to read.
            this.reading.full = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = if this.watch.multiplexed {
            Pin::new(&mut this.io).poll_read(cx, buf)
        } else {
            let step = STEP_BYTES - this.step;
            let most = if this.expects_head() { step.min(left) } else { step };
            this.read_some(cx, buf, most)
        };
        match read {
            Poll::Ready(Ok(())) => this.has_read(buf.filled().len() - before),
            Poll::Pending => {
                this.step = 0;
                this.check(cx)?;
            }
            Poll::Ready(Err(_)) => {}
        }
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, data);
        match &written {
            Poll::Ready(Ok(bytes)) => this.has_written(*bytes, data.len()),
            Poll::Pending => this.is_blocked(cx)?,
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        if flushed.is_pending() {
            this.is_blocked(cx)?;
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.io).poll_shutdown(cx);
        if shut.is_pending() {
            this.is_blocked(cx)?;
        }
        shut
    }
}

/// Notes a connection that went too far.
fn cut(reason: &'static str) -> io::Error {
    metrics::counter!(CONNECTIONS_CUT, "reason" => reason).increment(1);
    tracing::debug!(reason, "connection cut");
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{advance, sleep};

    use super::super::peers::Peers;
    use super::*;

    const IDLE: Duration = Duration::from_secs(75);
    const TIMEOUTS: Timeouts =
        Timeouts { head: Duration::from_secs(5), write: Duration::from_secs(30), idle: IDLE };

    /// An HTTP/2 connection, and its client's end.
    async fn http_2() -> (Guarded, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("a connection");
        let (socket, peer) = listener.accept().await.expect("a connection");
        let place = Peers::new(None).enter(peer.ip()).expect("a place");
        let watch = Watch::new(true, true);
        (Guarded::new(Transport::Plain(socket), watch, TIMEOUTS, place), client)
    }

    /// Reads for as long as there is something to read: why, and after how many seconds it was cut.
    async fn cut_after(guarded: &mut Guarded) -> (String, u64) {
        let began = Instant::now();
        loop {
            let mut room = [0; 16];
            let mut buf = ReadBuf::new(&mut room);
            let read = poll_fn(|cx| Pin::new(&mut *guarded).poll_read(cx, &mut buf)).await;
            if let Err(cut) = read {
                return (cut.to_string(), began.elapsed().as_secs());
            }
            assert!(!buf.filled().is_empty(), "the client has not hung up");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_without_a_request_is_an_idle_connection() {
        let (mut guarded, _client) = http_2().await;
        assert_eq!(cut_after(&mut guarded).await, ("idle".to_owned(), 75));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_nobody_takes_end_the_connection_after_195_seconds() {
        let (mut guarded, client) = http_2().await;
        let _unread = guarded.watch().begin(false);
        let pings = tokio::spawn(async move {
            // Whatever is no request keeps nothing alive.
            for _ in 0..10 {
                sleep(Duration::from_secs(60)).await;
                client.try_write(b"a ping").ok();
            }
        });
        assert_eq!(cut_after(&mut guarded).await, ("slow_reader".to_owned(), 195));
        assert!(!pings.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_and_each_answer_that_is_taken_begin_the_time_anew() {
        let (mut guarded, _client) = http_2().await;
        let watch = guarded.watch();
        let still_open = Duration::from_secs(190);
        let first = watch.begin(false);
        assert!(tokio::time::timeout(still_open, cut_after(&mut guarded)).await.is_err());
        let second = watch.begin(false);
        assert!(tokio::time::timeout(still_open, cut_after(&mut guarded)).await.is_err());
        // All that it asked for was taken: from here on it is idle.
        drop((first, second));
        assert_eq!(cut_after(&mut guarded).await, ("idle".to_owned(), 75));
    }

    /// Whether the connection is cut when it is looked at now.
    async fn is_cut(guarded: &mut Guarded) -> bool {
        let mut bytes = [0; 64];
        let mut buf = ReadBuf::new(&mut bytes);
        let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut *guarded).poll_read(cx, &mut buf))).await;
        matches!(read, Poll::Ready(Err(_)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_taken_lives_and_one_that_is_not_is_cut() {
        let (mut guarded, _client) = http_2().await;
        let stream = guarded.watch().begin(false);
        for hour in 0..3 {
            for _ in 0..60 {
                stream.goes_on();
                assert!(!is_cut(&mut guarded).await, "in hour {hour}");
                advance(Duration::from_secs(60)).await;
            }
        }
        // The last part was asked for, and none since.
        advance(IDLE + ANSWER_TIME_MAX).await;
        assert!(is_cut(&mut guarded).await);
    }
}
