//! A history that was written down, lived through again.

use passalong_core::shop::ShopSecrets;
use passalong_core::time::Instant;
use passalong_edge::isolate::Config;

use crate::direction::Direction;
use crate::kv::{Kv, Staleness};
use crate::machine::{ISOLATES, LOCATIONS, Machine, Next};
use crate::script::{Act, Script};
use crate::story::{CRON_EVERY, ERRANDS, Errand, Mode, Program, Story, bound};
use crate::story::{operator_key, secrets};

impl Story {
    /// The beginning of a history that was written down.
    pub fn of(script: &Script) -> Self {
        let mode = if script.beyond { Mode::Beyond } else { Mode::Inside };
        let secrets = secrets();
        let programs = script
            .programs
            .iter()
            .map(|terms| Program::new(&secrets, terms["id"].as_str().unwrap(), terms.clone()));
        let programs: Vec<Program> = programs.collect();
        let staleness = Staleness {
            bound: bound(mode),
            late: 0,
            flapping: 0,
            page: script.page,
            empty_pages: 0,
        };
        let config =
            Config { secrets, shops: ShopSecrets::default(), test_clock: false, debug: false };
        let start = Instant::from_seconds(i64::try_from(script.start.0 / 1_000).unwrap());
        let mut machine = Machine::new(start, 0, Kv::new(0, staleness), config);
        machine.direction = Direction::scripted(script.steps.clone());
        let mut story = Self::begin(programs, machine, mode, crate::random::Random::new(0));
        story.create_programs(&operator_key());
        story.make_endpoints(script.endpoints.clone());
        story
    }

    /// Lives through what was written down, and on until nothing is left to do.
    pub fn act_out(&mut self, script: &Script) {
        let last = script.steps.iter().map(|step| step.at.0).max().unwrap_or(self.now());
        for (number, step) in script.steps.iter().enumerate() {
            self.machine.schedule(step.at.0, Next::Outside(ERRANDS + number));
        }
        let tick = last / CRON_EVERY * CRON_EVERY + CRON_EVERY;
        self.machine.schedule(tick, Next::Outside(0));
        self.folded_day = last / crate::story::DAY;
        self.draining = true;
        while let Some(happened) = self.machine.step() {
            self.steps += 1;
            match happened {
                Next::Wake(_) => {}
                Next::Outside(0) => {
                    if !self.go_on() {
                        break;
                    }
                }
                Next::Outside(number) => self.do_step(script, number - ERRANDS),
            }
            self.hear();
        }
    }

    fn do_step(&mut self, script: &Script, number: usize) {
        let step = script.steps[number].clone();
        match step.act {
            Act::Cron => {
                let task = self.run_cron(step.isolate);
                self.machine.direction.begins(task, Some(number));
            }
            Act::Kill => self.machine.kill_isolate(step.isolate),
            act => {
                let (what, body) = self.errand_of(step.program, act);
                self.errands.push(Errand { what, body, tries: 0, done: false });
                let task = self.send_errand(self.errands.len() - 1, step.isolate);
                self.machine.direction.begins(task, Some(number));
            }
        }
    }

    /// After the last step: runs the cron, here and there, while there is something to do.
    fn go_on(&mut self) -> bool {
        let now = self.now();
        let work = self.work();
        if self.has_ended(&work) {
            return false;
        }
        if work.is_due || self.is_after_midnight() || work.erasures {
            let turn = usize::try_from(now / CRON_EVERY).unwrap();
            self.run_cron(turn % (LOCATIONS * ISOLATES));
        }
        self.machine.schedule(now + CRON_EVERY, Next::Outside(0));
        assert!(
            now < self.folded_day * crate::story::DAY + 400 * crate::story::DAY,
            "it never ends"
        );
        true
    }
}
