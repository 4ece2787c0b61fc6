//! What several tests stand on.

pub mod behaviour;
pub mod cases;
pub mod drive;
pub mod plain;
pub mod reference;
