"""The samples of docs/WEBHOOKS.md: taken out of the document, and run as receivers."""

import asyncio
import base64
import os
import re
import shutil
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "WEBHOOKS.md"
_SAMPLE = re.compile(r"<!-- sample: (\S+) -->\n```\w+\n(.*?)```\n", re.DOTALL)
# What n8n does around a Code node: a Webhook node with "Raw Body", answering when the last node is done.
_N8N = """
const AsyncFunction = Object.getPrototypeOf(async function () {}).constructor;
const code = require('fs').readFileSync(process.argv[3], 'utf8');
require('http').createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  let json;
  try { json = JSON.parse(body); } catch { json = {}; }
  const items = [{ json: { headers: request.headers, params: {}, query: {}, body: json } }];
  const self = { helpers: { getBinaryDataBuffer: async (index, name) => {
    if (index !== 0 || name !== 'data') throw new Error('no such binary data');
    return body;
  } } };
  try {
    const found = await new AsyncFunction('require', '$input', code).call(self, require, { all: () => items });
    for (const one of found) console.log(one.json.type, one.json.data.coin_id);
    response.writeHead(200).end('{}');
  } catch (error) {
    response.writeHead(500).end(error.message);
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
"""


def new_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def samples() -> dict[str, str]:
    """Give the samples of the document by name."""
    return dict(_SAMPLE.findall(DOCUMENT.read_text(encoding="utf-8")))


@asynccontextmanager
async def running_sample(name: str, folder: Path, *, secret: str) -> AsyncIterator[tuple[str, Process]]:
    """Run a sample as a process of its own; give its address and the process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    code = samples()[name].replace("whsec_paste_the_secret_here", secret)
    file = folder / name
    file.write_text(code, encoding="utf-8")
    environment = {**os.environ, "WEBHOOK_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        *_command(file, port), env=environment, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _until_it_listens(process, f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/hook", process
    finally:
        if process.returncode is None:
            process.kill()
        # Its pipe closes with it.
        await process.communicate()


def _command(file: Path, port: str) -> list[str]:
    if file.suffix == ".py":
        return [sys.executable, str(file), port]
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed, so its samples cannot be run")
    if file.suffix == ".mjs":
        return [node, str(file), port]
    around = file.with_name("n8n.cjs")
    around.write_text(_N8N, encoding="utf-8")
    return [node, str(around), port, str(file)]


async def _until_it_listens(process: Process, address: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        while True:
            assert process.returncode is None, "the sample ended by itself"
            try:
                async with session.post(address):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
