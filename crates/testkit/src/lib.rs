//! What the tests of Wallex share: private PostgreSQL clusters, temporary databases, real servers
