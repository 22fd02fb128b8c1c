//! Black-box tests of the real Wallex binary over HTTP, on both databases
