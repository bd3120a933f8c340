//! Real processes on real files: killed, stopped, refused by the system, robbed of their file.

mod child;
mod kill;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kill_at_calls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;
