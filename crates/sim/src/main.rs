//! `make sim`.
use steward_sim::{Size, Trace, simulate};

#[expect(clippy::print_stdout)]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() > 2 {
        let out = simulate(args[2].parse().unwrap(), Size::default(), None, Trace::printing());
        println!("{:?}", out.violation);
        return;
    }
    let n: u64 = args[1].parse().unwrap();
    let mut faults = steward_sim::FaultCounts::new();
    let (mut steps, mut htlc, mut pay, mut paid, mut bad) = (0, 0, 0, 0, 0);
    for seed in 0..n {
        let out = simulate(seed, Size::default(), None, Trace::silent());
        steps += out.steps; htlc += out.htlc_steps; pay += out.payments; paid += out.paid;
        for (k, c) in out.faults { *faults.entry(k).or_default() += c; }
        if let Some(v) = out.violation { bad += 1; println!("seed {seed}: {v}"); }
    }
    println!("steps {steps} htlc {htlc} payments {pay} paid {paid} bad {bad}\n{faults:?}");
}
