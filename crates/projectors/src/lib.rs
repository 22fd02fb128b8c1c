//! The projections: read models that follow the events, and how they are kept right.

mod tables;
