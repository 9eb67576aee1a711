//! The contribution service.
