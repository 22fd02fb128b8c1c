//! The answer to a command, as it is stored for a retry and sent to the client.

use bytestring::ByteString;

/// What a client is told, decided before the commit and stored in it. A replay repeats it byte for
/// byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The `ETag` header, quotes included.
    pub etag: Option<String>,
    /// The `Location` header.
    pub location: Option<String>,
    /// The body, JSON.
    pub body: ByteString,
}
