//! The two tables of the packet path (RFC 4301 section 4.4) and what they are asked with.
//!
//! [`Sad`] finds an inbound SA by SPI, [`Spd`] the entry that protects an inner packet. Both cost the same with ten entries
//! and with a hundred thousand, as long as selectors are hosts and prefixes. Readers never wait for more than one small
//! change: tables are changed in place under short locks, and what they hold is shared by reference.

#![forbid(unsafe_code)]

mod flow;
mod sad;
mod selector;
mod spd;

pub use flow::{Flow, FlowError};
pub use sad::Sad;
pub use selector::{Selector, SelectorError};
pub use spd::{Entry, Spd};
