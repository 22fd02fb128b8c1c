//! A request as text: its line, its headers, an empty line, its body.

use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::test::TestRequest;
use actix_web::web::Bytes;

/// A request that HTTP can carry.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

impl Message {
    /// Reads `METHOD TARGET`, lines of headers, an empty line and a body. `None` when HTTP could not
    /// carry it.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &data[data.len()..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        let headers = lines
            .map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
                Some((HeaderName::from_bytes(&line[..colon]).ok()?, value))
            })
            .collect::<Option<Vec<_>>>()?;
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        Self { method, target: String::new(), headers, body: Bytes::copy_from_slice(body) }
            .to(target)
    }

    /// The same request to `target`.
    pub(super) fn to(mut self, target: &str) -> Option<Self> {
        let is_target = target.starts_with('/') && target.parse::<Uri>().is_ok();
        target.clone_into(&mut self.target);
        is_target.then_some(self)
    }

    /// A request without headers and body.
    pub(super) fn get(target: &str) -> Option<Self> {
        let (method, headers) = (Method::GET, Vec::new());
        Self { method, target: String::new(), headers, body: Bytes::new() }.to(target)
    }

    /// A request with a body of JSON.
    pub(super) fn post(target: &str, body: &[u8]) -> Option<Self> {
        let json = HeaderValue::from_static("application/json");
        let headers = vec![(HeaderName::from_static("content-type"), json)];
        let body = Bytes::copy_from_slice(body);
        Self { method: Method::POST, target: String::new(), headers, body }.to(target)
    }

    /// The same request with `bearer` as its only credential.
    pub(super) fn from(mut self, bearer: &str) -> Self {
        let credential = HeaderValue::from_str(&format!("Bearer {bearer}")).expect("ASCII");
        self.headers = self.without(&AUTHORIZATION);
        self.headers.push((AUTHORIZATION, credential));
        self
    }

    /// Its headers but those of this name.
    pub(super) fn without(&self, name: &HeaderName) -> Vec<(HeaderName, HeaderValue)> {
        self.headers.iter().filter(|(of, _)| of != name).cloned().collect()
    }

    /// The path, without the query, as routes see it: escapes are read but for those of `/`, `%` and
    /// `+`.
    pub(super) fn path(&self) -> String {
        let mut rest = self.target.split(['?', '#']).next().unwrap_or_default().as_bytes();
        let mut path = Vec::new();
        while let [byte, after @ ..] = rest {
            let escape = after
                .get(..2)
                .filter(|_| *byte == b'%')
                .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
            match escape.filter(|escaped| !b"/%+".contains(escaped)) {
                Some(escaped) => {
                    path.push(escaped);
                    rest = &after[2..];
                }
                None => {
                    path.push(*byte);
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&path).into_owned()
    }

    /// Whether it has a header of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(of, _)| of.as_str() == name)
    }

    pub(super) fn to_request(&self) -> TestRequest {
        let mut request = TestRequest::default().method(self.method.clone()).uri(&self.target);
        for (name, value) in &self.headers {
            request = request.append_header((name.clone(), value.clone()));
        }
        request.set_payload(self.body.clone())
    }
}
