"""The official OpenAI client: only the base URL differs.

    pip install openai
    OPENAI_BASE_URL=http://127.0.0.1:7360/v1 OPENAI_API_KEY=unused python openai_chat.py demo/echo-1
"""
import sys

import openai

model = sys.argv[1] if len(sys.argv) > 1 else "demo/echo-1"
client = openai.OpenAI()  # OPENAI_BASE_URL and OPENAI_API_KEY; a sidecar on loopback ignores the key
question = [{"role": "user", "content": "Say hello."}]

answer = client.chat.completions.create(model=model, messages=question)
print("unary: ", answer.choices[0].message.content)
print("served by", answer.provider, "as", answer.model)  # OpenRouter's extra field

print("stream:", end=" ")
route = None
for chunk in client.chat.completions.create(model=model, messages=question, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    route = getattr(chunk, "remora", None) or route
print()
for attempt in (route or {}).get("attempts", []):
    print("tried", attempt["provider"], "->", attempt.get("reason") or "answered")

try:
    # What only Remora and OpenRouter know travels in extra_body.
    client.chat.completions.create(model=model, messages=question, extra_body={"provider": {"only": ["nobody"]}})
except openai.BadRequestError as error:
    print("refused:", error.body["param"], "-", error.body["message"])
