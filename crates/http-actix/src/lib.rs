//! The REST API of Wallex on actix-web
