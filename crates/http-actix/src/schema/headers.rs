//! What the headers of requests and answers hold.

use utoipa::openapi::schema::Object;

use super::build::{integer, one_of, text, text_of};

pub(crate) fn etag() -> Object {
    text("A wallet's version, for `If-Match`.", "^\"[1-9][0-9]*\"$", "\"1\"").build()
}

pub(crate) fn challenge() -> Object {
    let description = "How to come in, and why not with what was sent (RFC 6750).";
    let example = "Bearer realm=\"wallex\", error=\"invalid_token\"";
    text(description, "^Bearer realm=\"wallex\"", example).build()
}

pub(crate) fn location() -> Object {
    let pattern = "^/wallets/[A-Za-z0-9._:-]{1,128}$";
    text("The wallet's path, without `/v1`.", pattern, "/wallets/wallet-001").build()
}

pub(crate) fn replayed() -> Object {
    one_of("There when this is the answer to an earlier request with the same key.", ["true"])
}

pub(crate) fn retry_after() -> Object {
    integer("When to try again, in seconds.", 0, None, 1).build()
}

pub(crate) fn rate_limit_limit() -> Object {
    let description = "How many requests the caller may make at once. There only where the server \
                       limits them.";
    integer(description, 1, None, 100).build()
}

pub(crate) fn rate_limit_remaining() -> Object {
    integer("How many of them are left.", 0, None, 99).build()
}

pub(crate) fn rate_limit_reset() -> Object {
    integer("In how many seconds all of them are there again.", 0, None, 1).build()
}

pub(crate) fn idempotency_key() -> Object {
    let description = "Makes the request safe to repeat: the same key with the same request gets \
                       the first answer again. Quoted or bare.";
    let pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#;
    text(description, pattern, "550e8400-e29b-41d4-a716-446655440000").build()
}

pub(crate) fn if_match() -> Object {
    let description = "The versions at which the command may be executed, as entity tags, or `*`. \
                       At another version the answer is 412.";
    let pattern = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;
    text(description, pattern, "\"3\"").build()
}

pub(crate) fn projection_position() -> Object {
    let description = "What the projection had applied: `shard:position`, one for each shard that \
                       the answer draws on. What it says may be newer, and is never older.";
    text(description, "^[0-9]+:[0-9]+(,[0-9]+:[0-9]+)*$", "0:1234").build()
}

pub(crate) fn correlation_id() -> Object {
    let description = "What ties a request to everything it causes.";
    text_of(description, "^[!-~]{1,128}$", 1..=128, "req-123")
}

pub(crate) fn traceparent() -> Object {
    let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let pattern = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$";
    text_of("The trace that the request belongs to (W3C).", pattern, 55..=55, example)
}
