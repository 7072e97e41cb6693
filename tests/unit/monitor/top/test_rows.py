"""The rows of hosts, jobs and reasons, and the lines above them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.monitor.cells import width
from fleetcc.monitor.events import Host, Job, Local, Lost
from fleetcc.monitor.picture import Picture
from fleetcc.monitor.top.details import host_details, job_details, reason_details
from fleetcc.monitor.top.host_rows import host_heading, host_rows
from fleetcc.monitor.top.job_rows import ORDERS, Look, chosen_jobs, job_heading, job_row, jobs_in_all
from fleetcc.monitor.top.rows import DRAWN, PLAIN, age_tone, reason_heading, reason_rows, short_seconds
from fleetcc.monitor.top.summary import Traffic, summary_rows
from tests.support.event_agent import START, a_hello, some_jobs

NOW = START + 10


@pytest.fixture
def picture() -> Picture:
    picture = Picture()
    for event in (a_hello(total=66), *some_jobs()):
        picture.take(event)
    return picture


def texts(rows) -> list[str]:
    return [row.text for row in rows]


def numbers(jobs) -> list[int]:
    return [job.job for job in jobs]


def test_hosts_are_drawn_with_a_cell_for_each_slot(picture):
    assert texts([host_heading(picture, 80), *host_rows(picture, NOW, 80, PLAIN)]) == [
        "host       slots        jobs  speed    done",
        "localhost  #.            1/2              0",
        "b1         ##..          2/4   1.25       1",
        "b2         ^.            1/2   0.50       0",
        "b3         down: connection refused, tried again after 4.0 s",
    ]


def test_a_cells_tone_says_how_long_and_uploads_have_their_own(picture):
    _, b1, b2, _ = host_rows(picture, NOW + 40, 80, DRAWN)

    assert b1.pieces[1:3] == (("■■", "age3"), ("··", "dim"))
    assert b2.pieces[1] == ("▲", "upload")
    assert [age_tone(seconds) for seconds in (0, 2, 10, 30, 120)] == ["age0", "age1", "age2", "age3", "age4"]


def test_a_host_of_many_slots_takes_several_rows_of_the_same_key():
    picture = Picture()
    picture.take(Host(host="big:3632", time=START, state="up", slots=100))

    rows = host_rows(picture, NOW, 75, PLAIN)

    assert [row.key for row in rows] == ["big:3632"] * 3
    assert [row.text.count(".") for row in rows] == [40, 40, 20]
    assert rows[0].text.endswith("0/100              0")


def test_uploads_beyond_the_slots_are_drawn_behind_them(picture):
    picture.take(Job(job=90, time=NOW, state="uploading", host="b2.example.com:3632"))

    assert "b2         ^.^           1/2   0.50" in texts(host_rows(picture, NOW, 80, PLAIN))[2]


def test_why_a_host_is_down_names_it_once_and_is_cut_to_the_row(picture):
    why = "b1:3632: cannot connect to b1 port 3632: Connection refused"
    picture.take(Host(host="b1:3632", time=NOW, state="down", slots=4, why=why))

    assert (
        texts(host_rows(picture, NOW, 50, PLAIN))[1] == "b1         down: cannot connect to b1 port 3632: …"
    )


def test_a_host_that_left_tells_whom_it_still_has(picture):
    picture.take(Host(host="b1:3632", time=NOW, state="draining", slots=4))

    assert texts(host_rows(picture, NOW, 80, PLAIN))[1] == "b1         draining, still with 2 jobs"


def test_a_job_is_one_line(picture):
    jobs = chosen_jobs(picture, Look())

    assert texts(job_row(job, NOW, 80) for job in jobs) == [
        "compiling     b1/0              10.0   12.0  core/main.cc  /src/app",
        "compiling     b1/1               6.0         core/parse.cc  /src/app",
        "uploading     b2/0               2.0         ui/window.cc",
        "compiling     localhost/0        1.0         app  linking",
        "waiting                          1.0         ui/later.cc",
    ]


def test_a_host_has_more_room_on_a_wide_screen():
    picture = Picture()
    picture.take(a_hello())
    picture.take(Job(job=1, time=NOW, state="compiling", host="192.168.100.101:4501", slot=12))
    job = picture.jobs[1]

    assert job_row(job, NOW, 80).text.split()[1] == "…00.101:4501/12"
    assert job_row(job, NOW, 120).text.split()[1] == "192.168.100.101:4501/12"


def test_a_compiler_that_found_errors_is_seen_among_the_ended(picture):
    picture.take(Job(job=1, time=NOW, state="done", status=256))
    picture.take(Job(job=2, time=NOW, state="done", status=0))
    *_, bad, good = picture.finished

    assert [job_row(job, NOW, 80).pieces[0][1] for job in (bad, good)] == ["bad", "dim"]
    assert any("exit status 1" in row for row in texts(job_details(bad, NOW, 80)))


def test_jobs_that_have_ended_count_when_they_are_shown(picture):
    picture.take(Job(job=4, time=NOW, state="failed"))

    assert [jobs_in_all(picture, Look(with_ended=ended)) for ended in (False, True)] == [4, 6]


def test_long_names_keep_their_ends_and_the_reason_stays_whole(picture):
    name = "a/very/long/way/down/to/the/source/file.cc"
    picture.take(
        Job(job=7, time=NOW, state="compiling", host="localhost", slot=1, label=name, reason="linking")
    )

    row = job_row(picture.jobs[7], NOW, 80)

    assert row.text.endswith("…ay/down/to/the/source/file.cc"[-24:] + "  linking")
    assert width(row.text) == 80


@pytest.mark.parametrize(
    ("order", "jobs"),
    [
        ("longest first", [1, 2, 3, 4, 5]),
        ("by state", [1, 2, 4, 3, 5]),
        ("by host", [1, 2, 3, 4, 5]),
        ("by name", [4, 1, 2, 3, 5]),
    ],
)
def test_orders_keep_those_who_wait_last(picture, order, jobs):
    assert numbers(chosen_jobs(picture, Look(order))) == jobs


def test_every_order_has_its_turn():
    look, seen = Look(), []
    for _ in ORDERS:
        seen.append(look.order)
        look = Look(look.next_order)

    assert (seen, look.order) == (list(ORDERS), seen[0])


@pytest.mark.parametrize(
    ("words", "jobs"),
    [(("core",), [1, 2]), (("CORE", "parse"), [2]), (("b-17",), [1, 2]), (("linking",), [4]), (("b2",), [3]),
     (("nothing",), []), (("waiting",), [5])],
)  # fmt: skip
def test_words_choose_jobs_by_all_that_is_seen_of_them(picture, words, jobs):
    assert numbers(chosen_jobs(picture, Look(words=words))) == jobs


def test_ended_jobs_come_when_asked_for_the_newest_first(picture):
    picture.take(Job(job=4, time=NOW, state="failed"))

    assert numbers(chosen_jobs(picture, Look(with_ended=True))) == [1, 2, 3, 5, 4, 6]


def test_the_heading_tells_how_jobs_were_chosen():
    assert job_heading(Look(), 5, 5, 80).text.endswith("of  5 jobs, longest first")
    assert job_heading(Look("by name", ("ui",), with_ended=True), 2, 5, 90).text.endswith(
        "2 of 5 jobs, with ui, by name, ended too"
    )


def test_reasons_are_told_for_local_jobs_only(picture):
    assert texts([reason_heading(picture, 80), *reason_rows(picture, 76)]) == [
        "  here  because: 5 of 66 jobs (8 %)",
        "     4  linking                 calls the linker: there is no -c or -S",
        "     1  no-hosts                no host list: set FLEETCC_HOSTS or write ~/…",
    ]


def test_the_summary_tells_counts_rates_and_bytes(picture):
    picture.take(Lost(count=12))
    picture.take(Local(time=NOW, slots=2, load=9.5, limited_by="load", memory_available=3 << 30,
                       store_bytes=5 << 30))  # fmt: skip

    who, jobs, sizes = texts(summary_rows(picture, NOW, (2048.0, 100.0), 110, note="PAUSED"))

    assert who == "agent fleetcc 0.1.0, pid 7  build b-17" + "lost 12 events  PAUSED".rjust(72)
    assert jobs == "72 jobs  0.1 jobs/s  3 on 2 hosts with 6 slots  1 waiting  1 here  1 uploading"
    assert sizes.split("  ") == [
        "sent 1.9 MB, 2.0 KB/s", "received 2.9 KB, 100 B/s", "limited by load", "load 9.5", "3.0 GB free",
        "store 5.0 GB",
    ]  # fmt: skip


def test_without_traffic_there_are_no_rates(picture):
    _, jobs, sizes = texts(summary_rows(picture, NOW, None, 100))

    assert jobs.startswith("72 jobs  3 on 2 hosts with 6 slots")
    assert sizes.startswith("sent 1.9 MB  received 2.9 KB")


def test_trouble_stands_for_who_tells():
    rows = texts(
        summary_rows(Picture(), 0.0, None, 40, trouble="no agent serves /run/x; the first compile starts")
    )

    assert rows[0] == "no agent serves /run/x; the first compi…"
    assert rows[1].startswith("0 jobs  0 on 0 hosts with 0 slots")


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, 120))
def test_no_text_of_the_build_makes_a_row_too_wide_or_unprintable(label, reason, most):
    picture = Picture()
    picture.take(a_hello())
    picture.take(Job(job=1, time=START, state="compiling", label=label, host=label, slot=1, reason=reason))
    picture.take(Job(job=2, time=START, state="done", reason=reason, label=label))

    rows = [
        job_row(picture.jobs[1], NOW, max(46, most)),
        *summary_rows(picture, NOW, (1e9, 1e9), most, trouble=label, note="PAUSED"),
        *host_rows(picture, NOW, max(60, most), DRAWN),
        *reason_rows(picture, max(34, most)),
    ]

    assert all(row.text.isprintable() for row in rows)
    assert all(width(row.text) <= max(46, most) for row in rows[:4])


def test_bytes_per_second_are_of_the_last_ten_seconds(picture):
    traffic = Traffic()
    assert traffic.look(picture, NOW) == (0.0, 0.0)

    picture.sent += 5000
    assert traffic.look(picture, NOW + 5) == (1000.0, 0.0)
    assert traffic.look(picture, NOW + 14)[0] == pytest.approx(5000 / 14, abs=200)
    assert traffic.look(picture, NOW + 30) == (0.0, 0.0)


def test_bytes_of_another_agent_begin_anew(picture):
    traffic = Traffic()
    traffic.look(picture, NOW)

    assert traffic.look(Picture(), NOW + 5) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0"), (99.94, "99.9"), (99.96, "1:40"), (5999, "99:59"), (7200, "2:00 h"), (400000, "4 days")],
)
def test_seconds_fit_into_six_cells(seconds, text):
    assert short_seconds(seconds) == text


def test_details_of_a_job_tell_its_phases_and_its_reason(picture):
    job = picture.finished[0]
    assert texts(job_details(job, NOW, 80)) == [
        "tiny.c",
        "job         6",
        "state       done on b1:3632, slot 2",
        "because     remote: compiled on a host of the fleet",
        "age         6.0 s (ended)",
        "compiler    4.5 s elapsed, 4.2 s of a processor, 200 MB of memory",
        "bytes       0 B sent, 2.9 KB received",
        "",
        "     after         for  what",
        "      0 ms       1.0 s  planning",
        "     1.0 s       5.0 s  compiling on b1:3632",
        "     6.0 s              done on b1:3632",
    ]


def test_details_wrap_what_is_long(picture):
    picture.take(Job(job=4, time=NOW, state="compiling", detail="it says " * 12))

    rows = texts(job_details(picture.jobs[4], NOW, 60))

    assert all(width(row) <= 60 for row in rows)
    assert any("calls the linker" in row for row in rows)


def test_details_of_a_host_and_of_a_reason(picture):
    rows = texts(host_details(picture.hosts["b1:3632"], NOW, 80))
    assert rows[:4] == [
        "b1:3632", "state       up", "server      fleetccd 0.1.0", "slots       4, and 2 jobs there",
    ]  # fmt: skip
    assert "done        1 job; its slots were taken for 19.0 s, together" in rows
    assert "jobs        core/main.cc, core/parse.cc" in rows

    assert texts(reason_details("linking", 4, 80)) == [
        "linking", "meaning     calls the linker: there is no -c or -S", "jobs        4",
    ]  # fmt: skip
    assert "not known" in texts(reason_details("of-tomorrow", 1, 80))[1]
