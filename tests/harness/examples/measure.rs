//! Scratch measuring.
use cowslip_harness::{
    campaign::{Campaign, run},
    cowslip::Cowslip,
};
fn main() {
    let mut args = std::env::args().skip(1);
    let short: usize = args.next().unwrap().parse().unwrap();
    let threads: usize = args.next().unwrap().parse().unwrap();
    let auto = args.next().as_deref() == Some("auto");
    let engine = Cowslip { autocommit: auto, ..Cowslip::default() };
    let mut campaign = Campaign::short(short, 1);
    campaign.threads = threads;
    if short == 0 {
        campaign = Campaign { threads, ..Campaign::long(std::time::Duration::from_secs(20), 1) };
    }
    campaign.time =
        Some(std::time::Duration::from_secs(args.next().map_or(20, |s| s.parse().unwrap())));
    std::panic::set_hook(Box::new(|_| {}));
    match run(&engine, &campaign, |_| {}) {
        Ok(p) => println!("{p:?} {:.0}/s", p.report.recoveries as f64 / p.time.as_secs_f64()),
        Err(f) => {
            std::fs::write("/tmp/violation.img", f.violation.image.to_vec()).unwrap();
            println!(
                "{:?} furnished {} seed {} short {}\n{}",
                f.ops, f.furnished, f.seed, f.short, f.violation
            )
        }
    }
}
