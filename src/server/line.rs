//! The line for interactive requests: the machine works on some at once, and others wait. While there is
//! always somebody waiting, and more than a few, the wait is kept short, half as many are worked on at once and the
//! rest is turned away, so that those who are let in are answered about as fast as ever (controlled delay: Nichols
//! and Jacobson, ACM Queue 10(5), 2012; for requests: Maurer, ACM Queue 13(8), 2015). The next turn is that of the
//! client with the fewest, and no client has them all, so that many requests of one do not keep another waiting; and
//! while there is another, only one of a client's turns is worked on by threads that do not give way.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A line in which somebody has waited all this time stands.
const STANDING: Duration = Duration::from_millis(100);
/// How long a request waits in a line that does not stand.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long at most in one that does, in mean turns and at least: two clients for each turn are not turned
/// away, nor are threads that ask one after the other.
const STANDING_WAIT: (f64, Duration) = (3.0, Duration::from_millis(100));
/// A standing line whose last would wait for so long, in the same terms, is overloaded.
const CROWDED_WAIT: (f64, Duration) = (2.0, Duration::from_millis(50));
/// How long at most in an overloaded one: timers are no finer than some milliseconds.
const SHORT_WAIT: (f64, Duration) = (0.5, Duration::from_millis(10));
/// A line is overloaded for so long after it last was crowded or turned somebody away.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// What holds its turn for longer waits for something else than this machine, a model elsewhere for
/// instance: it gives the turn back and goes on.
const LONGEST_TURN: Duration = Duration::from_secs(1);
/// How long a client without turns is still one of those that share the machine.
const LATELY: Duration = Duration::from_secs(1);
/// Share of the latest request in the mean time of work.
const WEIGHT: f64 = 0.05;

/// Whose requests they are.
pub(super) type Client = Option<IpAddr>;

/// Turns at the machine, and those who wait for one.
#[derive(Clone)]
pub(super) struct Line {
    /// Turns in all.
    all: usize,
    /// Those that one client has at most: another finds one free.
    share: usize,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Turns that nobody has.
    free: usize,
    /// Clients with turns, or who wait.
    clients: HashMap<Client, Own>,
    /// Those who wait, of all clients, and the number of the latest.
    waiting: usize,
    latest: u64,
    /// When a turn was last free, or nobody waited.
    at_rest: Instant,
    /// Mean seconds of a turn, the latest counting most.
    work: f64,
    /// Until when the line is overloaded.
    overloaded: Option<Instant>,
    /// Turns that nobody gets until it no longer is.
    withheld: usize,
    /// Who came last, and before that who else, each with when it last came.
    came: [Option<(Client, Instant)>; 2],
}

/// What a client has and waits for.
#[derive(Default)]
struct Own {
    turns: usize,
    /// The latest number when it got its last turn.
    had: u64,
    /// By number, the first to come in front.
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// The line is overloaded, and the wait was over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overloaded;

/// A turn, until it is dropped.
struct Slot {
    line: Line,
    client: Client,
    begun: Instant,
    /// Whether its time says how long work takes.
    counts: bool,
    gives_way: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let took = self.counts.then(|| self.begun.elapsed());
        self.line.end(self.client, took);
    }
}

/// One who waits; a turn that nobody came for goes back.
struct Waiting {
    line: Line,
    client: Client,
    number: u64,
    turn: oneshot::Receiver<()>,
}

impl Waiting {
    /// The turn, if it is there.
    fn take(&mut self) -> Option<Slot> {
        let given = self.turn.try_recv();
        given
            .ok()
            .map(|()| self.line.begun(self.client, &self.line.state.lock()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.line.leave(self.client, self.number) {
            drop(self.take());
        }
    }
}

impl Line {
    /// A line of so many turns at once.
    pub fn new(turns: u32) -> Self {
        Self {
            all: turns as usize,
            share: (turns as usize).saturating_sub(1).max(1),
            state: Arc::new(Mutex::new(State {
                free: turns as usize,
                clients: HashMap::new(),
                waiting: 0,
                latest: 0,
                at_rest: Instant::now(),
                work: 0.0,
                overloaded: None,
                withheld: 0,
                came: [None; 2],
            })),
        }
    }

    /// Does what `work` makes when it is the client's turn. `work` is told whether to give way to another client.
    pub async fn take<F: Future>(
        &self,
        client: Client,
        work: impl FnOnce(bool) -> F,
    ) -> Result<F::Output, Overloaded> {
        let mut turn = self.turn(client).await?;
        let mut work = std::pin::pin!(work(turn.gives_way));
        match tokio::time::timeout(LONGEST_TURN, &mut work).await {
            Ok(output) => {
                turn.counts = true;
                Ok(output)
            }
            Err(_) => {
                drop(turn);
                Ok(work.await)
            }
        }
    }

    async fn turn(&self, client: Client) -> Result<Slot, Overloaded> {
        let (patience, mut waiting) = match self.join(client) {
            Ok(turn) => return Ok(turn),
            Err(waiting) => waiting,
        };
        // A sender that is gone cannot be: it is kept until the turn is there or the wait is over.
        if let Ok(Ok(())) = tokio::time::timeout(patience, &mut waiting.turn).await {
            waiting.number = 0;
            return Ok(self.begun(client, &self.state.lock()));
        }
        let mut state = self.state.lock();
        if state.overloaded.is_some() {
            state.overloaded = Some(Instant::now() + AFTERWARDS);
        }
        Err(Overloaded)
    }

    fn begun(&self, client: Client, state: &State) -> Slot {
        Slot {
            line: self.clone(),
            client,
            begun: Instant::now(),
            counts: false,
            gives_way: state.turns_of(client) > 1 && state.has_other(client),
        }
    }

    /// A turn, or a place in the line with how long to wait there.
    fn join(&self, client: Client) -> Result<Slot, (Duration, Waiting)> {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.note(client, now);
        if state.free > 0 && state.turns_of(client) < self.share {
            state.free -= 1;
            state.latest += 1;
            let had = state.latest;
            let own = state.clients.entry(client).or_default();
            own.turns += 1;
            own.had = had;
            if state.waiting == 0 {
                state.at_rest = now;
                state.relax(self.share);
            }
            return Ok(self.begun(client, &state));
        }
        let work = state.work;
        let wait =
            |(turns, least): (f64, Duration)| Duration::from_secs_f64(turns * work).max(least);
        let is_standing = now - state.at_rest > STANDING;
        let last = Duration::from_secs_f64(state.waiting as f64 * work / self.share as f64);
        if is_standing && last >= wait(CROWDED_WAIT) {
            state.overloaded = Some(now + AFTERWARDS);
        } else if state.overloaded.is_some_and(|until| until < now) {
            state.relax(self.share);
        }
        let has_any = state.clients.contains_key(&client);
        let patience = match (is_standing, state.overloaded) {
            // Who asks for one thing after the other is not what the line is overloaded by.
            (_, Some(_)) if has_any => wait(SHORT_WAIT),
            (true, _) => wait(STANDING_WAIT),
            (false, _) => PATIENCE,
        };
        state.waiting += 1;
        state.latest += 1;
        let number = state.latest;
        let (give, turn) = oneshot::channel();
        let own = state.clients.entry(client).or_default();
        own.waiting.push_back((number, give));
        let waiting = Waiting {
            line: self.clone(),
            client,
            number,
            turn,
        };
        Err((patience.min(PATIENCE), waiting))
    }

    /// Takes one who waits out of the line; false where it has been given its turn.
    fn leave(&self, client: Client, number: u64) -> bool {
        let mut state = self.state.lock();
        let Some(own) = state.clients.get_mut(&client) else {
            return false;
        };
        let Some(at) = own.waiting.iter().position(|waiting| waiting.0 == number) else {
            return false;
        };
        own.waiting.remove(at);
        state.waiting -= 1;
        state.forget(client);
        true
    }

    /// A turn ends, after work of so long. While the line is overloaded half of them are withheld: work goes
    /// on no slower, and each is sooner done.
    fn end(&self, client: Client, took: Option<Duration>) {
        let mut state = self.state.lock();
        if let Some(took) = took {
            state.work += WEIGHT * (took.as_secs_f64() - state.work);
        }
        if let Some(own) = state.clients.get_mut(&client) {
            own.turns -= 1;
        }
        state.forget(client);
        if state.overloaded.is_some() && state.withheld < self.all / 2 {
            state.withheld += 1;
        } else {
            state.free += 1;
            state.give(self.share);
        }
    }
}

impl State {
    /// The line is no longer overloaded: all turns are given.
    fn relax(&mut self, share: usize) {
        self.overloaded = None;
        self.free += std::mem::take(&mut self.withheld);
        self.give(share);
    }

    /// Notes that a client came.
    fn note(&mut self, client: Client, now: Instant) {
        if self.came[0].is_some_and(|(last, _)| last != client) {
            self.came[1] = self.came[0];
        }
        self.came[0] = Some((client, now));
    }

    /// Whether another client has a turn, waits for one, or came lately.
    fn has_other(&self, client: Client) -> bool {
        let came = self.came.iter().flatten();
        let mut lately = came.filter(|(_, when)| when.elapsed() < LATELY);
        self.clients.keys().any(|other| *other != client)
            || lately.any(|(other, _)| *other != client)
    }

    fn turns_of(&self, client: Client) -> usize {
        self.clients.get(&client).map_or(0, |own| own.turns)
    }

    /// Gives free turns to those who wait: to the client with the fewest, of several to the one that has not had
    /// one for longest, and there to who came first.
    fn give(&mut self, share: usize) {
        while self.free > 0 {
            let first = |own: &Own| {
                own.waiting
                    .front()
                    .map(|waiting| (own.turns, own.had, waiting.0))
            };
            let waiting = self
                .clients
                .iter()
                .filter(|(_, own)| own.turns < share)
                .filter_map(|(client, own)| Some((first(own)?, *client)));
            let Some((_, client)) = waiting.min_by_key(|(order, _)| *order) else {
                return;
            };
            let Some(own) = self.clients.get_mut(&client) else {
                return;
            };
            let Some((_, give)) = own.waiting.pop_front() else {
                return;
            };
            self.waiting -= 1;
            if give.send(()).is_ok() {
                own.turns += 1;
                own.had = self.latest;
                self.free -= 1;
            }
        }
    }

    /// A client with nothing is not kept.
    fn forget(&mut self, client: Client) {
        if self
            .clients
            .get(&client)
            .is_some_and(|own| own.turns == 0 && own.waiting.is_empty())
        {
            self.clients.remove(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn for_millis(millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    #[tokio::test]
    async fn a_burst_waits_and_a_standing_line_turns_away() {
        let line = Line::new(2);
        let burst = (0..8).map(|_| line.take(None, |_| for_millis(5)));
        let answered = futures::future::join_all(burst).await;
        assert!(answered.iter().all(Result::is_ok), "a burst is worked off");
        // One comes every two milliseconds and takes two turns of twenty: ten times too many.
        let mut coming = Vec::new();
        for _ in 0..700 {
            let line = line.clone();
            coming.push(tokio::spawn(async move {
                line.take(None, |_| for_millis(20)).await
            }));
            for_millis(2).await;
        }
        let all = futures::future::join_all(coming).await;
        let done = all.iter().filter(|own| matches!(own, Ok(Ok(())))).count();
        let turned_away = all.len() - done;
        assert!(done > 20 && turned_away > done, "{done} {turned_away}");
        assert!(
            line.take(None, |_| for_millis(1)).await.is_ok(),
            "it recovers"
        );
        assert_eq!(line.state.lock().free, 2, "no turn is withheld any more");
    }

    #[tokio::test]
    async fn the_next_turn_is_that_of_the_client_with_the_fewest() {
        let line = Line::new(1);
        let [many, one] = [1, 2].map(|last| Some(IpAddr::from([127, 0, 0, last])));
        let order = Arc::new(Mutex::new(Vec::new()));
        let ask = |client: Client, name: &'static str| {
            let (line, order) = (line.clone(), order.clone());
            tokio::spawn(async move {
                let work = async {
                    order.lock().push(name);
                    for_millis(20).await;
                };
                line.take(client, |_| work).await
            })
        };
        let mut asked: Vec<_> = (0..4).map(|_| ask(many, "many")).collect();
        for_millis(5).await;
        asked.push(ask(one, "one"));
        // One who gives up leaves nothing behind.
        let given_up = ask(one, "given up");
        for_millis(5).await;
        given_up.abort();
        for own in asked {
            assert_eq!(own.await.unwrap(), Ok(()));
        }
        assert_eq!(*order.lock(), ["many", "one", "many", "many", "many"]);
        let state = line.state.lock();
        assert!(state.clients.is_empty() && state.free == 1 && state.waiting == 0);
    }

    #[tokio::test]
    async fn no_client_has_all_turns() {
        let line = Line::new(2);
        let [many, one] = [1, 2].map(|last| Some(IpAddr::from([127, 0, 0, last])));
        let asked: Vec<_> = (0..3)
            .map(|_| {
                let line = line.clone();
                tokio::spawn(async move { line.take(many, |_| for_millis(300)).await })
            })
            .collect();
        for_millis(20).await;
        let own = async { line.state.lock().turns_of(many) };
        assert_eq!(line.take(one, |_| own).await, Ok(1));
        assert!(asked.iter().all(|own| !own.is_finished()));
        for own in asked {
            assert_eq!(own.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test]
    async fn one_turn_of_a_client_at_a_time_does_not_give_way_to_others() {
        let line = Line::new(4);
        let [many, one] = [1, 2].map(|last| Some(IpAddr::from([127, 0, 0, last])));
        let told = |gives_way: bool| async move {
            for_millis(50).await;
            gives_way
        };
        let two = || async { tokio::join!(line.take(many, told), line.take(many, told)) };
        assert_eq!(two().await, (Ok(false), Ok(false)), "nobody else is there");
        assert_eq!(line.take(one, told).await, Ok(false));
        assert_eq!(two().await, (Ok(false), Ok(true)));
    }

    #[tokio::test]
    async fn a_long_wait_elsewhere_gives_its_turn_back() {
        let line = Line::new(1);
        let slow = tokio::spawn({
            let line = line.clone();
            async move { line.take(None, |_| for_millis(2500)).await }
        });
        for_millis(1200).await;
        assert!(line.take(None, |_| for_millis(1)).await.is_ok());
        assert!(!slow.is_finished());
        assert_eq!(slow.await.unwrap(), Ok(()));
    }
}
