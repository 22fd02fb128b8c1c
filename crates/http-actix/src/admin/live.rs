//! `GET /admin/live`: what this server does, second by second, as server-sent events.
//!
//! A stream lives as long as its client reads it, its credential is good and the server goes on. It is
//! written by a task of the worker that its connection belongs to, through a channel of one: a client
//! that does not read holds nothing up but itself, and the connection's guard ends it.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::interval;
use wallex_ports::Caller;

use super::openapi::LiveStreamProblems;
use super::receive;
use crate::access::{self, Needs};
use crate::code::Code;
use crate::live::{Listener, Sample, Viewer};
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// What a listener needs.
pub(super) const NEEDS: Needs = Needs::Metrics;
/// How often it is asked again whether the caller is still let in. What is remembered of a key is
/// forgotten when it is revoked, so this is about how long one is listened to with it.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// How often something is sent, whatever happens: who hears nothing knows that nobody speaks.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Follow this server
///
/// Server-sent events, for as long as they are read. First `history`: a list of up to 900 samples, one
/// a second, oldest first. Then a `sample` a second; `unavailable` when the database did not tell in time
/// how the projectors stand; `end` before the server closes the stream, with its `reason`:
/// `shutting-down`, `unauthenticated` or `forbidden`. What the projectors failed at, and who holds them,
/// is told to operators alone.
#[utoipa::path(
    get,
    path = "/admin/live",
    operation_id = "followLive",
    tag = "admin",
    params(CorrelationHeader),
    responses(
        (
            status = 200,
            description = "The events.",
            body = String,
            content_type = "text/event-stream",
        ),
        LiveStreamProblems,
    ),
)]
pub(crate) async fn live(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    receive::read(&req, |_, _| Some(()))?;
    if api.state.operations.lifecycle.is_draining() {
        return Err(Problem::shutting_down());
    }
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream");
    // A proxy that gathers answers would tell them late.
    response.insert_header((header::HeaderName::from_static("x-accel-buffering"), "no"));
    // Whoever was listened to for hours need not keep the connection when that ends.
    response.force_close();
    if req.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let listener = api.live.listen().ok_or_else(|| {
        Problem::new(Code::Overloaded, "As many listen as may. Try again when one has left.")
    })?;
    let bearer = access::bearer(req.headers()).map(ToOwned::to_owned);
    let viewer = viewer(&access::caller(&req));
    let (sender, receiver) = mpsc::channel(1);
    actix_web::rt::spawn(tell(api, listener, viewer, bearer, sender));
    let body = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|bytes: Bytes| (Ok::<_, Infallible>(bytes), receiver))
    });
    Ok(response.streaming(body))
}

fn viewer(caller: &Caller) -> Viewer {
    if caller.is_operator() { Viewer::Operator } else { Viewer::Metrics }
}

/// Tells a listener everything, until it goes away or has to.
async fn tell(
    api: Data<Api>,
    mut listener: Listener,
    viewer: Viewer,
    bearer: Option<String>,
    sender: mpsc::Sender<Bytes>,
) {
    let mut refused = pin!(until_refused(&api, bearer.as_deref()));
    let mut draining = pin!(api.state.operations.lifecycle.draining());
    let mut heartbeat = interval(HEARTBEAT_INTERVAL);
    let mut next = history(&std::mem::take(&mut listener.history), viewer);
    loop {
        if sender.send(next).await.is_err() {
            return;
        }
        next = tokio::select! {
            biased;
            () = sender.closed() => return,
            () = &mut draining => return farewell(&sender, "shutting-down").await,
            reason = &mut refused => return farewell(&sender, reason).await,
            changed = listener.samples.changed() => {
                if changed.is_err() {
                    return;
                }
                let sample = Arc::clone(&listener.samples.borrow_and_update());
                told(&sample, viewer)
            }
            _ = heartbeat.tick() => continue_with_heartbeat(),
        };
    }
}

/// The last event. Whoever does not read any more is not waited for.
async fn farewell(sender: &mpsc::Sender<Bytes>, reason: &str) {
    let mut text = String::new();
    event(&mut text, "end", &format!("{{\"reason\":\"{reason}\"}}"));
    let _ = tokio::time::timeout(CHECK_INTERVAL, sender.send(text.into())).await;
}

/// Resolves once the caller is let in no more, with the reason. While nobody can tell, it stays.
async fn until_refused(api: &Api, bearer: Option<&str>) -> &'static str {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        match access::ask_again(api, bearer, NEEDS).await {
            Ok(()) => {}
            Err(problem) => match problem.code() {
                Code::Unauthenticated => return "unauthenticated",
                Code::InsufficientScope | Code::OperatorOnly => return "forbidden",
                _ => {}
            },
        }
    }
}

fn continue_with_heartbeat() -> Bytes {
    Bytes::from_static(b":\n\n")
}

fn history(samples: &[Arc<Sample>], viewer: Viewer) -> Bytes {
    let samples: Vec<String> = samples.iter().map(|sample| sample.json(viewer)).collect();
    let mut text = String::new();
    event(&mut text, "history", &format!("[{}]", samples.join(",")));
    text.into()
}

fn told(sample: &Sample, viewer: Viewer) -> Bytes {
    let mut text = String::new();
    if let Some(json) = sample.unavailable_json() {
        event(&mut text, "unavailable", &json);
    }
    event(&mut text, "sample", &sample.json(viewer));
    text.into()
}

/// Adds an event; `json` is of one line.
fn event(text: &mut String, name: &str, json: &str) {
    write!(text, "event: {name}\ndata: {json}\n\n").expect("invariant: a String takes any text");
}
