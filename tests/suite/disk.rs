//! What the disk and the machine may do, and what survives it.

mod campaigns;
mod crashes;
mod damage;
mod early_reads;
mod faults;
mod moving_log;
mod rules;
mod scrubs;
mod upkeep;
