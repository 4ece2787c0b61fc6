//! Where events come from and actions go to.

pub mod framing;
