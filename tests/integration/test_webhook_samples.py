"""What docs/WEBHOOKS.md tells receivers to do, done: each sample takes real messages and refuses all others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from standardwebhooks import Webhook

from prediction_service.clients.webhook import Message, WebhookSender
from prediction_service.settings import PredictionSettings
from prediction_service.usecases.sending import RETRY_SECONDS
from shared.contracts.webhook import ChangeWebhook, NewWebhook, PredictionMessage
from shared.db import Connection, Pool
from tests.support.live import until
from tests.support.outbox import predict, sending_messages, set_up
from tests.support.samples import DOCUMENT, new_secret, running_sample, samples
from tests.support.serving import Api

RECEIVERS = ["receiver.py", "receiver_with_library.py", "receiver.mjs", "n8n_code_node.js"]


def test_samples_when_listed_then_each_one_of_the_document_is_run():
    assert sorted(samples()) == sorted(RECEIVERS)


def test_workflow_when_imported_into_n8n_then_it_holds_the_code_of_the_document():
    workflow = json.loads((DOCUMENT.parent / "n8n" / "pumpcast-webhook.json").read_text())
    hook, code = workflow["nodes"]
    assert code["parameters"]["jsCode"] == samples()["n8n_code_node.js"]
    assert (hook["parameters"]["authentication"], hook["parameters"]["options"]) == ("headerAuth", {"rawBody": True})
    assert workflow["connections"][hook["name"]]["main"] == [[{"node": code["name"], "type": "main", "index": 0}]]


def test_document_when_compared_with_the_code_then_fields_pauses_and_body_agree():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in NewWebhook.model_fields:
        assert f"| `{name}` |" in text
        assert name in ChangeWebhook.model_fields
    assert "| at once | " + " | ".join(f"{seconds} s" for seconds in RETRY_SECONDS) + " |" in text
    (body,) = [block.partition("```")[0] for block in text.split("```json\n")[1:]]
    message = PredictionMessage.model_validate_json(body)
    assert json.loads(message.model_dump_json()).keys() == json.loads(body).keys()
    assert set(json.loads(body)["data"]["predictions"][0]["model"]) == set(
        type(message.data.predictions[0].model).model_fields
    )


@pytest.mark.parametrize("name", RECEIVERS)
async def test_sample_when_it_receives_then_it_takes_what_pumpcast_sends_and_refuses_what_was_tampered_with(
    name: str, api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, tmp_path: Path
):
    made = await set_up(api, "http://127.0.0.1:1/later")
    async with running_sample(name, tmp_path, secret=made["secret"]) as (url, process):
        status, _ = await api.call("PATCH", "/api/webhooks/1", json={"url": url})
        assert status == 200
        async with sending_messages(pool, configured) as poke:
            await predict(pool, tmp_path, coins=1)
            poke.set()
            await until(connection, "SELECT status FROM webhook_deliveries", expected="delivered")
        assert process.stdout is not None
        assert await process.stdout.readline() == b"prediction.alert coin 0\n"
        stored = await connection.fetchrow("SELECT webhook_id, body FROM webhook_deliveries")
        assert stored is not None
        body, now = stored["body"], datetime.now(UTC)

        def signed(secret: str, *, at: datetime = now, said: datetime | None = None, **changes: str) -> dict[str, str]:
            return {
                "webhook-id": stored["webhook_id"],
                "webhook-timestamp": str(int((said or at).timestamp())),
                "webhook-signature": Webhook(secret).sign(stored["webhook_id"], at, body.decode()),
                **changes,
            }

        good, old = signed(made["secret"]), now - timedelta(minutes=6)
        async with aiohttp.ClientSession() as session:

            async def answer(headers: dict[str, str], sent: bytes = body) -> int:
                async with session.post(url, data=sent, headers=headers) as response:
                    return response.status

            assert await answer(good) == 200
            refused = {
                "tampered body": await answer(good, body.replace(b"coin 0", b"coin 1")),
                "longer body": await answer(good, body + b" "),
                "empty body": await answer(good, b""),
                "old": await answer(signed(made["secret"], at=old)),
                "from the future": await answer(signed(made["secret"], at=now + timedelta(minutes=6))),
                "old, dressed up as new": await answer(signed(made["secret"], at=old, said=now)),
                "wrong secret": await answer(signed(new_secret())),
                "other id": await answer(good | {"webhook-id": "msg_other"}),
                "no number": await answer(good | {"webhook-timestamp": "now"}),
                "other version": await answer(
                    good | {"webhook-signature": good["webhook-signature"].replace("v1", "v2")}
                ),
                "bare signature": await answer(good | {"webhook-signature": "v1,"}),
                "no comma": await answer(good | {"webhook-signature": "v1"}),
                "not base64": await answer(good | {"webhook-signature": "v1,!!!!! v1,a"}),
                "no signature": await answer({**good, "webhook-signature": ""}),
                "no headers": await answer({}),
            }
        assert {reason for reason, status in refused.items() if status >= 400} == set(refused)
        async with WebhookSender() as sender:
            for secrets in ((made["secret"], new_secret()), (new_secret(), made["secret"])):
                attempt = await sender.post(
                    Message(url=url, headers={}, secrets=secrets, webhook_id="msg_2", body=body, trusted=True)
                )
                assert attempt.succeeded
            between = Message(url=url, headers={}, secrets=(new_secret(),), webhook_id="msg_2", body=body, trusted=True)
            assert not (await sender.post(between)).succeeded


@pytest.mark.parametrize("name", ["receiver.py", "receiver.mjs"])
async def test_sample_when_a_message_comes_twice_then_it_is_handled_once(name: str, tmp_path: Path):
    secret = new_secret()
    async with running_sample(name, tmp_path, secret=secret) as (url, process), WebhookSender() as sender:
        for webhook_id, coin in (("msg_1", b"a"), ("msg_1", b"a"), ("msg_2", b"b")):
            body = b'{"type": "prediction.alert", "data": {"coin_id": "' + coin + b'"}}'
            attempt = await sender.post(
                Message(url=url, headers={}, secrets=(secret,), webhook_id=webhook_id, body=body, trusted=True)
            )
            assert attempt.succeeded
        assert process.stdout is not None
        assert [await process.stdout.readline() for _ in range(2)] == [b"prediction.alert a\n", b"prediction.alert b\n"]
