//! Work on inner packets between a TUN and ESP: checksums, splitting what is larger than a packet, merging what belongs
//! together, the ICMP answer to what is too big, and what inner and outer headers owe each other.

#![forbid(unsafe_code)]

mod checksum;
mod fragment;
mod icmp;
mod merge;
mod outer;
mod segment;
mod vnet;

pub use checksum::{complete, fold, pseudo_header, sum};
pub use fragment::Fragments;
pub use icmp::{MAX_ANSWER_OCTETS, packet_too_big};
pub use merge::{MAX_MERGED, Merger};
pub use outer::{NotCapable, combine_ecn, decapsulate, dont_fragment, traffic_class};
pub use segment::{SegmentError, Segments};
pub use vnet::{GsoType, VNET_HEADER_OCTETS, VnetHeader};
