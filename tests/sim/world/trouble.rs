//! Trouble that comes from outside, and its end.

use outlast::sandbox::Switches;

use super::{Event, World};
use crate::clients::{Clients, Op};
use crate::plan::{Family, Plan, Scenario};

impl World {
    pub(super) fn fault(&mut self) {
        if self.healed {
            return;
        }
        if self.plan.scenario == Scenario::Short {
            let revoked = self.provider.revoke_access(Some(1), self.now);
            return drop(revoked);
        }
        if self.plan.scenario == Scenario::Parked {
            let revoked = self.provider.revoke_grant(1, self.now);
            return drop(revoked);
        }
        let grants = self.plan.has(Family::Grants) && self.dice.grants.chance(300);
        if grants {
            self.meet("a grant revoked");
            let which = u32::try_from(self.dice.grants.between(1, 2)).unwrap();
            let _ = self.provider.revoke_grant(which, self.now);
        } else if self.plan.has(Family::Tokens) {
            self.meet("a token revoked or ended");
            let ended = if self.dice.grants.chance(500) {
                self.provider.revoke_access(None, self.now)
            } else {
                self.provider.expire_access(None, self.now)
            };
            drop(ended);
        }
        if self.plan.has(Family::Crashes) && self.running.is_some() {
            self.meet("crash at some moment");
            self.die("killed");
        }
    }

    /// Somebody cancels what is in the air.
    pub(super) fn minds_change(&mut self) {
        if !self.plan.has(Family::Operator) {
            return;
        }
        let flying = self.running.iter().flat_map(|running| running.sends.values()).flat_map(|sending| sending.ids());
        let events: Vec<u64> = flying.filter_map(|id| self.checks.event_of(id)).step_by(2).collect();
        for n in events {
            self.at(self.now + 1, Event::Does(Op::Cancel(n)));
        }
    }

    pub(super) fn leap(&mut self) {
        const HOUR: i64 = 3_600_000;
        if self.healed {
            return;
        }
        match self.dice.clock.below(7) {
            0 => self.clocks.offset += HOUR,
            1 => self.clocks.offset -= HOUR,
            2 => self.clocks.offset += 365 * 24 * HOUR,
            3 => self.clocks.offset -= 365 * 24 * HOUR,
            4 => {
                self.clocks.frozen = match self.clocks.frozen {
                    None => Some(self.now),
                    Some(_) => None,
                };
            }
            5 => self.clocks.offset -= 700,
            _ => {
                let sleep = self.dice.clock.pick(&[60_000, 600_000, 8 * 3_600_000]);
                self.clocks.sleep(self.now, sleep);
                let until = self.clocks.asleep;
                self.at(until, Event::Wakes);
            }
        }
        self.meet("a fault of the clock");
    }

    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.clocks.wake(self.now);
        let switches = Switches { nodes: self.provider.switches().nodes.clone(), ..Plan::calm() };
        self.provider.configure(switches).expect("calm is a way to behave");
        self.provider.set_faults(&[]).expect("none fit");
        for op in Clients::resume_all() {
            self.at(self.now + 1_000, Event::Does(op));
        }
        self.at(self.now + 2_000, Event::Visit);
    }
}
