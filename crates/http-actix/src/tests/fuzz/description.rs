//! Which answers the API's description has for which request.

use actix_web::http::Method;
use serde_json::Value;

/// The paths of the description, as it is served.
pub(super) struct Description(Value);

impl Description {
    pub(super) fn new() -> Self {
        let mut description = serde_json::to_value(crate::openapi()).expect("JSON");
        Self(description["paths"].take())
    }

    /// Whether the answer `status` to `method` on `path` is described. Nothing is said of paths that
    /// are not there, and of methods that a path does not have: these are 404 and 405.
    pub(super) fn has(&self, method: &Method, path: &str, status: u16) -> bool {
        let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        // What has GET has HEAD.
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        let paths = self.0.as_object().expect("paths");
        let mut found = paths.iter().filter(|(template, _)| fits(template, path));
        let Some((_, operations)) = found.next() else { return status == 404 };
        // Methods have case (RFC 9110, section 9.1): `Get` is another one than `GET`.
        let mut operations = operations.as_object().into_iter().flatten();
        match operations.find(|(name, _)| name.to_uppercase() == method.as_str()) {
            Some((_, operation)) => operation["responses"].get(status.to_string()).is_some(),
            None => status == 405,
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut names, mut parts) = (template.split('/'), path.split('/'));
    loop {
        match (names.next(), parts.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name == part => {}
            (Some(name), Some(part)) if name.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
}
