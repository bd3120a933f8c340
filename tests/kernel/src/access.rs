//! Reads and writes of one byte that may fail with a signal, and say which.
//!
//! The two functions are assembly, so that the handler knows what it interrupts: it remembers the signal
//! and lets the access return to its caller at once. No memory is touched but the byte and the stack.

use std::{
    arch::global_asm,
    mem::zeroed,
    ptr::null_mut,
    sync::atomic::{AtomicI32, Ordering},
};

global_asm!(
    ".globl cowslip_load",
    "cowslip_load:",
    "mov al, byte ptr [rdi]",
    "ret",
    ".globl cowslip_store",
    "cowslip_store:",
    "mov byte ptr [rdi], sil",
    "ret",
    ".globl cowslip_refused",
    "cowslip_refused:",
    "ret",
);

unsafe extern "C" {
    fn cowslip_load(address: u64) -> u8;
    fn cowslip_store(address: u64, value: u8);
    fn cowslip_refused();
}

static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);

/// A refused access: the signal and its `si_code`.
#[derive(Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) signal: i32,
    pub(crate) code: i32,
}

extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO these two, alive until it returns.
    let (code, registers) =
        unsafe { ((*info).si_code, &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs) };
    let at = registers[libc::REG_RIP as usize] as usize;
    if at != cowslip_load as *const () as usize && at != cowslip_store as *const () as usize {
        // A fault of the program itself: let it die of it.
        // SAFETY: a signal's default action has no preconditions.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    SIGNAL.store(signal, Ordering::Relaxed);
    CODE.store(code, Ordering::Relaxed);
    registers[libc::REG_RIP as usize] = cowslip_refused as *const () as usize as i64;
}

/// Makes [`load`] and [`store`] survive SIGSEGV and SIGBUS.
pub(crate) fn catch_signals() {
    // SAFETY: zero is a valid sigaction; the handler has the signature that SA_SIGINFO asks for, and
    // touches only atomics and its arguments.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGSEGV, &raw const action, null_mut());
        libc::sigaction(libc::SIGBUS, &raw const action, null_mut());
    }
}

fn refused() -> Option<Refused> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => None,
        signal => {
            SIGNAL.store(0, Ordering::Relaxed);
            Some(Refused { signal, code: CODE.load(Ordering::Relaxed) })
        }
    }
}

/// Reads the byte at an address.
///
/// # Safety
///
/// Signals are caught, see [`catch_signals`].
pub(crate) unsafe fn load(address: u64) -> Result<u8, Refused> {
    // SAFETY: any address will do: what cannot be read is a signal, which is caught.
    let value = unsafe { cowslip_load(address) };
    refused().map_or(Ok(value), Err)
}

/// Writes the byte at an address.
///
/// # Safety
///
/// Signals are caught, see [`catch_signals`]; what is at the address is no memory that Rust knows of.
pub(crate) unsafe fn store(address: u64, value: u8) -> Result<(), Refused> {
    // SAFETY: no object of the program is there; what cannot be written is a signal, which is caught.
    unsafe { cowslip_store(address, value) };
    refused().map_or(Ok(()), Err)
}
