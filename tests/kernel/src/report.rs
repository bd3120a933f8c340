//! The text of an answer: faults, kinds, signal, error, page tables, in this order.

use std::{fmt::Write as _, io};

use crate::{
    driver::Region,
    kinds::{Area, Kinds},
    wire::{Reply, Request, What},
};

/// The answer to a measured request.
pub(crate) fn report(
    region: &Region,
    request: &Request,
    reply: &Reply,
    kinds: &Kinds,
    tables: i64,
) -> String {
    let mut text = format!("min={} maj={}{}", reply.minor, reply.major, kinds.text());
    let faults = (reply.minor + reply.major) as u64;
    let written = request.what == What::Write
        || (request.what == What::Advise && request.value == libc::MADV_POPULATE_WRITE);
    let rest = kinds.rest(faults, written && region.area == Area::Shared);
    let name = match region.area {
        Area::Shared if written => "mkwrite",
        Area::Shared => "ffault",
        Area::PrivateFile if request.what == What::Read || kinds.file_pages() => "ffault",
        _ => "reuse",
    };
    if rest != 0 {
        let _ = write!(text, " {name}={rest}");
    }
    if matches!(request.what, What::Write | What::Read) {
        let signal = match (reply.signal, reply.code) {
            (0, _) => "none".to_owned(),
            (libc::SIGSEGV, 1) => "SEGV_MAPERR".to_owned(),
            (libc::SIGSEGV, 2) => "SEGV_ACCERR".to_owned(),
            (libc::SIGBUS, 2) => "BUS_ADRERR".to_owned(),
            (signal, code) => format!("{signal}/{code}"),
        };
        let _ = write!(text, " sig={signal}");
        if request.what == What::Read && request.value >= 0 {
            let _ = write!(text, " bad={}", reply.bad);
        }
    }
    if reply.error != 0 {
        let _ = write!(text, " {}", error(reply.error));
    }
    let _ = write!(text, " pt={tables:+}");
    text
}

/// An error, by its name.
pub(crate) fn error(number: i32) -> String {
    let name = match number {
        libc::EPERM => "EPERM",
        libc::EIO => "EIO",
        libc::ECHILD => "ECHILD",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::EINVAL => "EINVAL",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        other => return format!("err={}", io::Error::from_raw_os_error(other)),
    };
    format!("err={name}")
}
