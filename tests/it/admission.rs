//! Who may leave when: lanes, pauses, deadlines, budgets, throttling, the sharing of a credential.

use outlast::destination::{Batching, Conclusion, Conversation, Destination, Turn};
use outlast::state::{Choice, Delivery, Load, Policy, Span, Standard, Time, Trouble, Verdict};
use outlast::{Endpoint, Engine, Limits, Outcome, Parcel, Redrive, Scope};
use outlast_state::DeliveryId;
use serde_json::json;

use crate::bench::Bench;

fn lane() -> Scope {
    Scope::Lane { destination: "conversions".into(), lane: "a".into() }
}

async fn into_lane(bench: &Bench, engine: &Engine, count: usize) -> Vec<DeliveryId> {
    let parcels = (0..count).map(|n| bench.parcel(&format!("lane-{n}")).lane("a")).collect();
    engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect()
}

/// The message ids that were applied, in their order.
fn applied(bench: &Bench) -> Vec<String> {
    let lines = bench.log();
    let ok = lines.iter().filter(|line| line["answer_status"] == 201 || line["answer_status"] == 200);
    ok.filter_map(|line| line["body"]["eventId"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_keeps_its_order_through_retries_failures_pauses_and_restarts() {
    let bench = Bench::new().await;
    bench.faults(json!([
        {"when": {"path": "/rest/*", "nth": 1}, "action": {"status": {"status": 503}}},
        {"when": {"path": "/rest/*", "nth": 4}, "action": {"status": {"status": 400}}},
        {"when": {"path": "/rest/*", "nth": 6}, "action": {"status": {"status": 503}}}
    ]));
    let engine = bench.open().await;
    let ids = into_lane(&bench, &engine, 8).await;
    bench.drive(&engine, engine.outcome(ids[2])).await.unwrap();
    let held = engine.pause(lane()).await.unwrap();
    bench.settle(&engine).await;
    let live = engine.counts().await.unwrap().live();
    assert!((live..=live + 1).contains(&held), "one may have been in the air: {held} {live}");
    let engine = bench.restart(engine).await;
    assert_eq!(engine.pauses().await.unwrap(), [lane()]);
    let standing = bench.pass(&engine, Span::from_secs(600)).await;
    assert_eq!(standing, bench.pass(&engine, Span::from_secs(600)).await, "a paused lane stands");
    assert!(engine.resume(lane()).await.unwrap() && !engine.resume(lane()).await.unwrap());
    let outcomes = bench.outcomes(&engine, &ids).await;
    let failed = outcomes.iter().position(|outcome| matches!(outcome, Outcome::Failed(_))).unwrap();
    let mut expected: Vec<String> = (0..8).map(|n| format!("lane-{n}")).collect();
    expected.remove(failed);
    assert_eq!(applied(&bench), expected, "S10 Lanes: one after the other");
    // Overtaken, and that is known after a restart too.
    let engine = bench.restart(engine).await;
    let error = engine.redrive(ids[failed], Redrive::default()).await.unwrap_err();
    assert!(error.to_string().contains("later parcel"), "{error}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redriven_head_goes_before_those_that_wait() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.faults(json!([{"when": {"nth": 1}, "action": {"status": {"status": 400}}}]));
    let first = engine.submit(bench.parcel("lane-0").lane("a")).await.unwrap();
    engine.outcome(first).await.unwrap();
    engine.pause(lane()).await.unwrap();
    let second = engine.submit(bench.parcel("lane-1").lane("a")).await.unwrap();
    let engine = bench.restart(engine).await;
    engine.redrive(first, Redrive::default()).await.unwrap();
    assert!(engine.why(second).await.unwrap().join(" ").contains(&first.to_string()));
    engine.resume(lane()).await.unwrap();
    bench.all_done(&engine, &[first, second]).await;
    assert_eq!(applied(&bench), ["lane-0", "lane-1"]);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_is_quiet_after_an_unknown_answer_also_when_the_repeat_was_done() {
    let bench = Bench::new().await;
    bench.faults(json!([{"when": {"nth": 1}, "action": "reset_after_apply"}]));
    let engine = bench.open().await;
    let ids = into_lane(&bench, &engine, 2).await;
    bench.all_done(&engine, &ids).await;
    let sent: Vec<u64> = bench.log().iter().map(|line| line["t_ms"].as_u64().unwrap()).collect();
    assert_eq!(sent.len(), 3);
    let quiet = bench.profile().quiet.as_millis();
    assert!(sent[1] < sent[0] + quiet, "the same parcel is repeated at once: {sent:?}");
    assert!(sent[2] >= sent[0] + quiet, "the next one waits: {sent:?}");
    assert_eq!(bench.saw("duplicates"), 1);
    assert_eq!(bench.saw("conflicts"), 0);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_hold_and_deadlines_run_on() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    for scope in [Scope::Destination("conversions".into()), Scope::Credential("acme".into()), lane()] {
        assert_eq!(engine.pause(scope.clone()).await.unwrap(), 0);
        let short = bench.parcel(&format!("short {scope}")).lane("a").time_to_live(Span::from_secs(60));
        let short = engine.submit(short).await.unwrap();
        let long = engine.submit(bench.parcel(&format!("long {scope}")).lane("a")).await.unwrap();
        let before = bench.saw("requests");
        bench.pass(&engine, Span::from_secs(90)).await;
        assert_eq!(bench.saw("requests"), before, "S9 Spacing: {scope} is paused");
        let Outcome::Failed(failed) = engine.outcome(short).await.unwrap() else { panic!("{scope}: it was sent") };
        assert!(failed.reason.contains("deadline"), "{}", failed.reason);
        engine.resume(scope).await.unwrap();
        bench.all_done(&engine, &[long]).await;
    }
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_while_waiting_and_one_while_in_the_air() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.faults(json!([{"action": {"status": {"status": 503}}}]));
    let id = engine.submit(bench.parcel("waits").time_to_live(Span::from_secs(20))).await.unwrap();
    let outcome = bench.drive(&engine, engine.outcome(id)).await.unwrap();
    let Outcome::Failed(failed) = outcome else { panic!("it is not done") };
    assert!(failed.reason.contains("deadline") && !failed.in_doubt, "{}", failed.reason);
    // The answer decides.
    bench.faults(json!([{"action": {"delay": {"before_ms": 500}}}]));
    let id = engine.submit(bench.parcel("taken").time_to_live(Span::from_millis(100))).await.unwrap();
    bench.settle_sending(&engine).await;
    bench.clock.advance(Span::from_millis(200));
    let passed = async || engine.show(id).await.unwrap().journal.iter().any(|line| line.what.contains("deadline"));
    bench.eventually(passed).await;
    assert_eq!(bench.summary(&engine, id).await.state, "Sending");
    bench.land(&engine).await;
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_long_downtime_nor_a_jump_of_the_clock_kills_what_was_never_tried() {
    let bench = Bench::new().await;
    let hours = Span::from_secs(100 * 3600);
    let held = bench.authorised(bench.builder().hold(true)).await;
    let first = bench.submit(&held, "down").await;
    held.stop().await.unwrap();
    bench.clock.advance(hours);
    bench.reopen();
    let engine = bench.open().await;
    bench.all_done(&engine, &[first]).await;
    // Blocked behind another one in its lane while the clock jumps.
    bench.faults(json!([{"when": {"nth": 1}, "action": {"delay": {"before_ms": 1_000}}}]));
    let ids = into_lane(&bench, &engine, 2).await;
    bench.settle_sending(&engine).await;
    bench.clock.advance(hours);
    bench.all_done(&engine, &ids[1..]).await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_spend_the_budget_and_waiting_does_not() {
    let bench = Bench::new().await;
    let limits = Limits { budget: 3, ..Limits::default() };
    let engine = bench.authorised(bench.builder().limits(limits)).await;
    bench.faults(json!([{"action": {"status": {"status": 503}}}]));
    let id = bench.submit(&engine, "failing").await;
    let outcome = bench.drive(&engine, engine.outcome(id)).await.unwrap();
    let Outcome::Failed(failed) = outcome else { panic!("it is not done") };
    assert!(failed.reason.contains("budget") && failed.attempts == 3, "{} {}", failed.attempts, failed.reason);
    bench.faults(json!([{"when": {"uses": 8}, "action": {"status": {"status": 429}}}]));
    let id = bench.submit(&engine, "throttled").await;
    bench.all_done(&engine, &[id]).await;
    assert_eq!(bench.summary(&engine, id).await.spent, 0);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_holds_the_whole_credential_back_across_a_restart() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let rule = json!([{"when": {"uses": 1}, "action": {"status": {"status": 429, "retry_after": {"seconds": 120}}}}]);
    bench.faults(rule);
    let first = bench.submit(&engine, "first").await;
    bench.reaches(&engine, first, "Pending").await;
    let refused_at = bench.clock.millis();
    let second = bench.submit(&engine, "second").await;
    bench.settle(&engine).await;
    let engine = bench.restart(engine).await;
    bench.settle(&engine).await;
    assert_eq!(bench.saw("requests"), 1, "S9 Spacing: the provider asked for 120 s");
    bench.all_done(&engine, &[first, second]).await;
    assert!(bench.log().iter().skip(1).all(|line| line["t_ms"].as_u64().unwrap() >= refused_at + 120_000));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_is_not_in_doubt_and_what_was_lost_is() {
    let bench = Bench::new().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = Limits { budget: 2, request: Span::from_millis(300), ..Limits::default() };
    let mut builder = bench.builder().limits(limits);
    let mut profile = bench.profile();
    profile.audience =
        outlast::guard::Audience::of([&bench.base().parse().unwrap(), &format!("http://{nobody}").parse().unwrap()]);
    builder = builder
        .credential("acme", outlast::OAuth::new(profile, "client-id-1", outlast::Secret::new("canary-client-secret")))
        .destination("nobody", Bench::conversions(&format!("http://{nobody}/rest")));
    let engine = bench.authorised(builder).await;
    let unsent = engine.submit(Parcel::to("nobody").json(&bench.event("unsent")).unwrap()).await.unwrap();
    let Outcome::Failed(failed) = bench.drive(&engine, engine.outcome(unsent)).await.unwrap() else { panic!() };
    assert!(!failed.in_doubt && failed.attempts == 2, "{failed:?}");
    bench.faults(json!([{"action": "hang"}]));
    let lost = bench.submit(&engine, "lost").await;
    let Outcome::Failed(failed) = bench.drive(&engine, engine.outcome(lost)).await.unwrap() else { panic!() };
    assert!(failed.in_doubt && failed.attempts == 2, "{failed:?}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_ends_with_the_clock() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    bench.faults(json!([{"when": {"uses": 1}, "action": "hang"}]));
    let id = bench.submit(&engine, "hangs").await;
    bench.settle_sending(&engine).await;
    bench.clock.advance(Span::from_secs(31));
    bench.all_done(&engine, &[id]).await;
    assert_eq!(bench.summary(&engine, id).await.spent, 1);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_destination_does_not_delay_another_of_the_same_credential() {
    let bench = Bench::new().await;
    let other = Bench::conversions(&format!("{}/", bench.base()).replace("/rest/", "/rest"));
    let limits = Limits { request: Span::from_secs(30), ..Limits::default() };
    let builder =
        bench.builder().limits(limits).destination("dead", Endpoint::new(Hangs(bench.base())).credential("acme"));
    let builder = builder.destination("zwei", other);
    bench.faults(json!([{"when": {"path": "/rest/me"}, "action": "hang"}]));
    let engine = bench.authorised(builder).await;
    let stuck: Vec<Parcel> = (0..100).map(|n| Parcel::to("dead").bytes(format!("{n}"))).collect();
    engine.submit_all(stuck).await.unwrap();
    // The hanging canary loses the slot after 2 s; then each of the two others has it once before the dead one has it again.
    bench.settle_sending(&engine).await;
    let mut ids = bench.submit_some(&engine, "one", 20).await;
    let parcels = (0..20).map(|n| Parcel::to("zwei").json(&bench.event(&format!("two-{n}"))).unwrap()).collect();
    ids.extend(engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap));
    let began = bench.clock.millis();
    bench
        .eventually(async || {
            if engine.counts().await.unwrap().done < 40 {
                bench.clock.advance(Span::from_millis(10));
            }
            engine.counts().await.unwrap().done == 40
        })
        .await;
    let took = bench.clock.millis() - began;
    assert!(took < 20_000, "the others took {took} ms of engine time");
    engine.stop_within(Span::ZERO).await.unwrap();
}

/// Asks for `/me`, which a fault rule lets hang.
struct Hangs(String);

impl Destination for Hangs {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        use outlast::exchange::{Method, Request};
        if conversation.so_far.is_empty() {
            return Turn::Ask(Request::new(Method::Get, format!("{}/me", self.0).parse().unwrap()).bearer());
        }
        let verdict = Verdict::Busy { after: Span::ZERO, load: Load::Failing };
        Turn::Conclude(conversation.items.iter().map(|_| Conclusion::new(verdict, "")).collect())
    }
}

/// Panics, or asks for absurd waits.
struct Rude;

impl Destination for Rude {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let poisoned = conversation.items.iter().any(|item| item.body == b"poison");
        assert!(!poisoned, "a bug in a destination");
        let verdict = match conversation.items[0].body {
            b"later" => Verdict::NotYet { after: Span::from_secs(u64::MAX) },
            b"refused" => Verdict::TokenRefused,
            _ => Verdict::Accepted { receipt: outlast::state::Receipt { status: 200 } },
        };
        Turn::Conclude(conversation.items.iter().map(|_| Conclusion::new(verdict, "")).collect())
    }

    fn batching(&self) -> Batching {
        Batching::up_to(8)
    }
}

struct RudePolicy;

impl Policy for RudePolicy {
    fn choose(&self, delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
        assert!(delivery.spent != 1, "a bug in a policy");
        match trouble {
            Trouble::NotYet => Choice::Again { at: Time::NEVER },
            _ => Standard::default().choose(delivery, trouble, now),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_hosts_code_fails_an_attempt_and_nothing_else() {
    let bench = Bench::new().await;
    let limits = Limits { budget: 3, ..Limits::default() };
    let builder = bench.builder().limits(limits).policy(RudePolicy).destination("rude", Endpoint::new(Rude));
    let engine = bench.authorised(builder).await;
    let bodies = ["fine", "poison", "fine too", "fine as well"];
    let parcels = bodies.iter().map(|body| Parcel::to("rude").bytes(*body)).collect();
    let ids: Vec<_> = engine.submit_all(parcels).await.unwrap().into_iter().map(Result::unwrap).collect();
    let outcomes = bench.outcomes(&engine, &ids).await;
    for (outcome, body) in outcomes.iter().zip(bodies) {
        match outcome {
            Outcome::Done(_) => assert_ne!(body, "poison"),
            Outcome::Failed(failed) => {
                assert_eq!(body, "poison");
                assert!(failed.reason.contains("panicked"), "{}", failed.reason);
            }
        }
    }
    let later = engine.submit(Parcel::to("rude").bytes("later")).await.unwrap();
    bench.eventually(async || engine.show(later).await.unwrap().summary.attempts == 1).await;
    let summary = bench.reaches(&engine, later, "Pending").await;
    assert!(summary.due_ms.unwrap() <= bench.clock.millis() + 86_400_000, "{summary:?}");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_refused_where_none_was_sent_is_the_destinations_own_no() {
    let bench = Bench::new().await;
    let engine = bench.authorised(bench.builder().destination("rude", Endpoint::new(Rude))).await;
    let id = engine.submit(Parcel::to("rude").bytes("refused")).await.unwrap();
    match &bench.outcomes(&engine, &[id]).await[..] {
        [Outcome::Failed(failed)] => assert!(failed.reason.contains("401"), "{}", failed.reason),
        others => panic!("{others:?}"),
    }
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_work_sleeps() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    let ids = bench.submit_some(&engine, "some", 20).await;
    bench.all_done(&engine, &ids).await;
    engine.pause(lane()).await.unwrap();
    engine.submit(bench.parcel("held").lane("a")).await.unwrap();
    bench.settle(&engine).await;
    let before = bench.clock.waits();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(std::time::Duration::from_millis(200), std::future::pending::<()>()).await.unwrap_err();
    assert!(bench.clock.waits() <= before + 1, "the driver turned {} times", bench.clock.waits() - before);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_deadlines_does_not_break_a_commit() {
    let bench = Bench::new().await;
    let engine = bench.open().await;
    engine.pause(Scope::Destination("conversions".into())).await.unwrap();
    for part in 0..20 {
        let parcels =
            (0..1000).map(|n| bench.parcel(&format!("{part}-{n}")).time_to_live(Span::from_secs(3600))).collect();
        assert!(engine.submit_all(parcels).await.unwrap().iter().all(Result::is_ok));
    }
    bench.clock.advance(Span::from_secs(3601));
    bench.eventually(async || engine.counts().await.unwrap().failed == 20_000).await;
    engine.stop().await.unwrap();
}
