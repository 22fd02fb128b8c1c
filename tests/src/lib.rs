//! Black-box tests of the real Wallex binary over HTTP, on both databases.
//!
//! One file for each endpoint, with the stem that it has in the other rooms, and one for each
//! promise that is about all of them. They are one program, because linking one for each would take
//! longer than running them.

#![cfg(test)]

mod arrows;
