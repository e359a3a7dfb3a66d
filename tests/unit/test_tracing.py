"""Traces are off unless a collector is named, cost no import then, and never keep a process from starting."""

import json
import os
import socket
import subprocess
import sys
import time

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from shared.open_telemetry import RootSampler, _origin
from shared.tracing import LIVE_BATCH

# The library's own end waits longer than this.
PATIENCE_SECONDS = 25
START = """
import sys
{before}
from shared.logging import set_up_logging
from shared.settings import BasePart
from shared.tracing import is_tracing, set_up_tracing, span, traceparent
set_up_logging(BasePart(), service="test")
set_up_tracing("test")
with span("something", rows=1) as one:
    one.note(more=2)
    print(is_tracing(), traceparent() is not None, any(name.startswith("opentelemetry.sdk") for name in sys.modules))
"""


def started(before: str = "", **settings: str) -> tuple[str, list[dict[str, object]]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-P", "-c", START.format(before=before)]
    done = subprocess.run(command, env=kept | settings, capture_output=True, text=True, check=True)
    return done.stdout.strip(), [json.loads(line) for line in done.stderr.splitlines()]


def test_tracing_when_no_collector_is_named_then_nothing_is_imported():
    assert started() == ("False False False", [])


def test_tracing_when_the_extra_is_missing_then_one_line_says_how_to_get_it_and_work_goes_on():
    missing = "sys.modules['opentelemetry.sdk.trace'] = None"
    said, told = started(missing, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert said.startswith("False False")
    ((level, install),) = [(one["level"], one["install"]) for one in told]
    assert (level, install) == ("warning", "pip install 'pumpcast[otel]'")


def test_process_when_its_collector_does_not_answer_then_it_ends_all_the_same():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said, _ = started(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT=str(PATIENCE_SECONDS * 20))
    assert said == "True True True"
    assert time.monotonic() - began < PATIENCE_SECONDS


def test_sampler_when_nothing_led_to_it_then_polling_is_left_out_and_one_live_batch_a_second_is_kept():
    sampler = RootSampler(ALWAYS_ON)
    asked = [(LIVE_BATCH, SpanKind.INTERNAL), (LIVE_BATCH, SpanKind.INTERNAL), ("SELECT", SpanKind.CLIENT)]
    assert [sampler.should_sample(None, 1, *one).decision for one in asked] == [
        Decision.RECORD_AND_SAMPLE, Decision.DROP, Decision.DROP,
    ]  # fmt: skip


def test_sampler_when_a_span_is_left_out_then_what_it_does_is_too_and_what_another_process_led_to_is_not():
    def below(*, is_remote: bool) -> Context:
        return set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote, TraceFlags(TraceFlags.DEFAULT))))

    sampler = RootSampler(ALWAYS_ON)
    found = [
        sampler.should_sample(below(is_remote=far), 1, "SELECT", SpanKind.CLIENT).decision for far in (False, True)
    ]
    assert found == [Decision.DROP, Decision.RECORD_AND_SAMPLE]


def test_url_when_it_holds_a_secret_then_only_its_host_is_told():
    assert _origin("https://user:pw@hooks.example/T0/secret?token=x") == "https://hooks.example:443"
