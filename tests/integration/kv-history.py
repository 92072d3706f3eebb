#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What etcd itself holds, and whether what clients were told agrees with it. Nothing of kvclient is
used here: requests and streams are read by this program alone.

  kv-history.py begin FILE URL             a new history: the store as it stands
  kv-history.py archive FILE URL           adds every event up to the newest revision
  kv-history.py compact FILE URL           the same, then has etcd forget what is before that revision
  kv-history.py check FILE DIRECTORY…      judges the logs of kv-driver in each DIRECTORY
  kv-history.py check-replaced FILE DIRECTORY…   the same, for clients whose store was replaced

FILE.now is the sum of it: the revision and the state after the last event.

A history is lines of JSON: {"revision": R, "state": {key: pair}} first, then the events
[revision, key, pair or null, value of a guard or null] and {"compacted": R}. A pair is one string:
MOD CREATE VERSION LEASE LENGTH CRC.
"""
import base64
import collections
import http.client
import json
import os
import re
import sys
import time
import urllib.request
import zlib

ALL = {"key": "AA==", "range_end": "AA=="}
TIMEOUT_S = 15
TRIES, TRY_AGAIN_S = 20, 0.25
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ERANGE, ESTALE, EREMCHG = -34, -116, -78
COMPLAINTS_MAX = 20


def post(url, path, body):
    data = json.dumps(body).encode()
    return OPENER.open(urllib.request.Request(url + path, data), timeout=TIMEOUT_S)


def patiently(do):
    """A member that has just been tormented may need a moment."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return do()
        except (OSError, http.client.HTTPException) as error:
            if not left:
                raise SystemExit("etcd does not answer: %s" % error)
            time.sleep(TRY_AGAIN_S)


def ask(url, path, body):
    def once():
        with post(url, path, body) as answer:
            return json.load(answer)
    return patiently(once)


def pair_of(kv):
    value = base64.b64decode(kv.get("value", ""))
    return "%s %s %s %x %d %08x" % (kv["mod_revision"], kv["create_revision"], kv["version"],
                                    int(kv.get("lease", 0)), len(value), zlib.crc32(value))


def key_of(kv):
    return base64.b64decode(kv["key"]).decode()


def state_at(url, revision=0):
    """All keys at a revision (0: the newest), and which revision that was."""
    answer = ask(url, "/v3/kv/range", dict(ALL, revision=revision))
    state = {key_of(kv): pair_of(kv) for kv in answer.get("kvs", [])}
    return revision or int(answer["header"]["revision"]), state


def event_of(event):
    kv = event["kv"]
    key = key_of(kv)
    if event.get("type") == "DELETE":
        return [int(kv["mod_revision"]), key, None, None]
    guard = base64.b64decode(kv.get("value", "")).decode() if key.endswith("/guard") else None
    return [int(kv["mod_revision"]), key, pair_of(kv), guard]


def events_between(url, first, last):
    """The events of revisions first..last; every revision has one at least."""
    told = []
    body = {"create_request": dict(ALL, start_revision=first, fragment=True)}
    fragments = 0
    with post(url, "/v3/watch", body) as stream:
        for line in stream:
            result = json.loads(line)["result"]
            if result.get("canceled"):
                raise SystemExit("the watch from %d was refused: %s" % (first, line[:200]))
            fragments += bool(result.get("fragment"))
            for event in map(event_of, result.get("events", [])):
                if event[0] > last:
                    break
                told.append(event)
            events = result.get("events")
            if events and not result.get("fragment") and event_of(events[-1])[0] >= last:
                break
    if fragments:
        print("etcd sent %d fragments" % fragments)
    return told


class History:
    def __init__(self, name):
        self.events = []
        self.compacted = []
        with open(name) as lines:
            first = json.loads(next(lines))
            self.first, self.initial = first["revision"], first["state"]
            for line in map(json.loads, lines):
                if isinstance(line, dict):
                    self.compacted.append(line["compacted"])
                else:
                    self.events.append(line)
        self.last = self.events[-1][0] if self.events else self.first

    def end(self):
        """The revision that every follower must have been told of."""
        ends = [revision for revision, key, pair, _ in self.events if key == "/t/end" and pair]
        if not ends:
            raise SystemExit("the history has no last revision")
        return ends[-1]

    def has_forgotten(self, revision):
        return any(compacted > revision for compacted in self.compacted)


def change(state, key, pair):
    if pair is None:
        state.pop(key, None)
    else:
        state[key] = pair


def write_now(name, revision, state):
    with open(name + ".now", "w") as now:
        json.dump([revision, state], now)


def begin(name, url):
    revision, state = state_at(url)
    with open(name, "w") as lines:
        print(json.dumps({"revision": revision, "state": state}), file=lines)
    write_now(name, revision, state)


def archive(name, url):
    """Adds what is new, and compares the sum of all events with the store as it stands then."""
    with open(name + ".now") as now:
        last, summed = json.load(now)
    revision, state = state_at(url)
    events = []
    if revision > last:
        events = patiently(lambda: events_between(url, last + 1, revision))
    if sorted({event[0] for event in events}) != list(range(last + 1, revision + 1)):
        raise SystemExit("etcd's own history has holes between %d and %d" % (last, revision))
    with open(name, "a") as lines:
        for event in events:
            change(summed, event[1], event[2])
            print(json.dumps(event), file=lines)
    if summed != state:
        raise SystemExit("etcd's history does not add up to what it holds at %d" % revision)
    write_now(name, revision, state)
    return revision


def compact(name, url):
    revision = archive(name, url)
    ask(url, "/v3/kv/compaction", {"revision": str(revision)})
    with open(name, "a") as lines:
        print(json.dumps({"compacted": revision}), file=lines)


class Judge:
    """Complains; a run without a complaint is sound."""

    def __init__(self, history, replaced):
        self.history = history
        self.replaced = replaced
        self.complaints = []
        self.count = collections.Counter()

    def complain(self, where, text):
        self.complaints.append("%s: %s" % (where, text))

    def verdict(self):
        print(", ".join("%d %s" % (n, name) for name, n in sorted(self.count.items())))
        for text in self.complaints[:COMPLAINTS_MAX]:
            print("WRONG " + text)
        if len(self.complaints) > COMPLAINTS_MAX:
            print("and %d more" % (len(self.complaints) - COMPLAINTS_MAX))
        return 1 if self.complaints else 0


class Follower:
    """One log, judged line by line against the events that concern its key or prefix."""

    def __init__(self, judge, name, path):
        self.judge, self.name = judge, name
        with open(path) as lines:
            self.lines = [line.rstrip("\n") for line in lines]
        followed = self.lines[0].split()[1]
        is_prefix = followed.endswith("/")
        self.concerns = lambda key: key.startswith(followed) if is_prefix else key == followed
        self.events = [e for e in judge.history.events if self.concerns(e[1])]
        self.at = 0           # the index of the next event
        self.revision = None  # told of everything up to here; None: of nothing
        self.lost = None
        self.ended = False

    def complain(self, text):
        self.judge.complain(self.name, text)

    def skip_to(self, revision):
        while self.at < len(self.events) and self.events[self.at][0] <= revision:
            self.at += 1

    def judge_all(self):
        for line in self.lines[1:]:
            kind, _, rest = line.partition(" ")
            getattr(self, "on_" + kind)(rest)
        if not self.ended:
            self.complain("the log has no end")
        if self.judge.replaced:
            if self.lost not in (ESTALE, EREMCHG):
                self.complain("was not told that another store answers")
        elif self.lost is not None:
            self.complain("was lost with %d" % self.lost)
        else:
            self.judge_end()

    def on_ended(self, _):
        self.ended = True

    def is_after_loss(self):
        if self.lost is not None:
            self.complain("was told something after its end")
        return self.lost is not None


class Watch(Follower):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.told = []  # since the last batch
        self.gap = False

    def on_start(self, rest):
        start = int(rest)
        if self.revision is not None and not self.gap and start != self.revision + 1:
            self.complain("began again at %d after %d" % (start, self.revision))
        self.gap = False
        self.revision = start - 1
        self.skip_to(self.revision)

    def on_put(self, rest):
        key, pair = rest.rsplit(" ", 1)[0].split(" ", 1)
        self.told.append((int(pair.split()[0]), key, pair))

    def on_del(self, rest):
        key, revision, _ = rest.split()
        self.told.append((int(revision), key, None))

    def on_batch(self, rest):
        """Exactly what etcd has between the last batch and this one, whole revisions only."""
        last = int(rest)
        if self.is_after_loss():
            return
        begin_at = self.at
        self.skip_to(last)
        wanted = [tuple(event[:3]) for event in self.events[begin_at:self.at]]
        if last <= self.revision:
            self.complain("went back from %d to %d" % (self.revision, last))
        if self.told != wanted:
            self.complain("between %d and %d was told %s, etcd has %s"
                          % ((self.revision, last) + first_difference(self.told, wanted)))
        self.judge.count["events told to watches"] += len(self.told)
        self.judge.count["batches"] += 1
        self.told = []
        self.revision = last

    def on_lost(self, rest):
        code = int(rest.split()[0])
        if code != ERANGE:
            self.lost = code
        elif not self.judge.history.has_forgotten(self.revision + 1):
            self.complain("lost history after %d, which etcd had not forgotten" % self.revision)
        else:
            self.gap = True
            self.judge.count["watches that compaction overtook"] += 1

    def judge_end(self):
        end = self.judge.history.end()
        if self.at < len(self.events) and self.events[self.at][0] <= end:
            self.complain("was never told of revision %d, key %s" % tuple(self.events[self.at][:2]))
        if self.told:
            self.complain("was told events without a batch")


class Mirror(Follower):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.state = {}  # as the log tells it
        self.truth = {k: p for k, p in self.judge.history.initial.items() if self.concerns(k)}
        self.told = []
        self.have = {}

    def on_start(self, _):
        pass

    def on_put(self, rest):
        rest, had = rest.rsplit(" ", 1)
        key, pair = rest.split(" ", 1)
        self.judge_old(key, had)
        self.state[key] = pair
        self.told.append((key, pair))

    def on_del(self, rest):
        key, _, had = rest.split()
        self.judge_old(key, had)
        self.state.pop(key, None)
        self.told.append((key, None))

    def judge_old(self, key, had):
        known = self.state[key].split()[0] if key in self.state else "0"
        if known != had:
            self.complain("changed %s from %s, but had told %s" % (key, had, known))

    def on_batch(self, rest):
        """The mirror is the store as it was at that revision; and every change was told, unless
        etcd had forgotten some, or the mirror was just made."""
        revision = int(rest)
        if self.is_after_loss():
            return
        if self.revision is not None and revision < self.revision:
            self.complain("went back from %d to %d" % (self.revision, revision))
        begin_at = self.at
        self.skip_to(revision)
        passed = self.events[begin_at:self.at]
        for _, key, pair, _ in passed:
            change(self.truth, key, pair)
        wanted = [(event[1], event[2]) for event in passed]
        if self.truth != self.state:
            self.complain("at %d holds %s, etcd %s" % ((revision,) + first_difference(
                sorted(self.state.items()), sorted(self.truth.items()))))
        elif self.revision is not None and self.told != wanted:
            self.judge_difference(revision, wanted)
        self.judge.count["changes told by mirrors"] += len(self.told)
        self.told = []
        self.revision = revision

    def judge_difference(self, revision, wanted):
        if not self.judge.history.has_forgotten(self.revision + 1):
            self.complain("between %d and %d told %s, etcd has %s"
                          % ((self.revision, revision) + first_difference(self.told, wanted)))
        if len({key for key, _ in self.told}) != len(self.told):
            self.complain("told a key of a difference twice before %d" % revision)
        self.judge.count["differences told by mirrors"] += 1

    def on_lost(self, rest):
        self.lost = int(rest.split()[0])

    def on_have(self, rest):
        key, pair = rest.split(" ", 1)
        self.have[key] = pair

    def judge_end(self):
        if self.revision is None or self.revision < self.judge.history.end():
            self.complain("stands at %s, the end was at %d"
                          % (self.revision, self.judge.history.end()))
        if self.have != self.state:
            self.complain("holds something else than it told")


def first_difference(a, b):
    for i, (one, other) in enumerate(zip(a, b)):
        if one != other:
            return "%s as number %d of %d" % (one, i, len(a)), "%s of %d" % (other, len(b))
    longer = a if len(a) > len(b) else b
    return ("%d of them" % len(a),
            "%d, first of the rest is %s" % (len(b), longer[min(len(a), len(b))]))


def judge_writes(judge, name, path):
    """What was acknowledged happened, there; what is unknown happened once at most; nothing else did."""
    happened = collections.defaultdict(list)
    for revision, _, pair, guard in judge.history.events:
        if pair and guard:
            happened[guard].append(revision)
    outcome = {}
    with open(path) as lines:
        for line in lines:
            written, said, *rest = line.split()
            outcome[written] = (said, rest)
    for written, (said, rest) in outcome.items():
        found = happened.get(written, [])
        judge.count["writes " + said] += 1
        if said == "unknown" and found:
            judge.count["writes unknown that happened"] += 1
        if not is_sound(judge, said, rest, found):
            judge.complain(name, "write %s is \"%s\", etcd has it at %s"
                           % (written, " ".join([said] + rest), found or "no revision"))


def is_sound(judge, said, rest, found):
    if said == "ok":
        return found == [int(rest[0])]
    if said in ("refused", "not"):
        return not found
    if said == "unknown":
        return len(found) <= 1
    return said == "error" and judge.replaced and int(rest[0]) in (ESTALE, EREMCHG) and not found


def check(name, directories, replaced=False):
    judge = Judge(History(name), replaced)
    judge.count["revisions"] = judge.history.last - judge.history.first
    for directory in directories:
        logs = sorted(log for log in os.listdir(directory) if log.endswith(".log"))
        if not logs:
            judge.complain(directory, "has no logs")
        for log in logs:
            path = os.path.join(directory, log)
            where = os.path.join(os.path.basename(directory), log)
            if log == "writes.log":
                judge_writes(judge, where, path)
            else:
                kind = Watch if re.match("watch-", log) else Mirror
                kind(judge, where, path).judge_all()
    return judge.verdict()


def main(command, name, *rest):
    if command == "check":
        return check(name, rest)
    if command == "check-replaced":
        return check(name, rest, replaced=True)
    {"begin": begin, "archive": archive, "compact": compact}[command](name, *rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
