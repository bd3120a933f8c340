//! Real processes on real files: killed, stopped, refused by the system, robbed of their file.

mod child;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod failing_calls;
#[cfg(target_os = "linux")]
mod file_size_limit;
#[cfg(unix)]
mod foreign_hands;
#[cfg(target_os = "linux")]
mod full_file_system;
mod kill;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kill_at_calls;
#[cfg(target_os = "linux")]
mod stopped;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;
