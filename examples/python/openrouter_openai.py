"""What OpenRouter's quickstart shows with the openai package: only the base URL differs.

    pip install openai
    OPENROUTER_BASE_URL=http://127.0.0.1:7360/api/v1 python openrouter_openai.py demo/echo-1
"""
import os
import sys

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("OPENROUTER_BASE_URL", "http://127.0.0.1:7360/api/v1"),
    api_key="unused",  # a sidecar on loopback ignores it
)
model = sys.argv[1] if len(sys.argv) > 1 else "demo/echo-1"

completion = client.chat.completions.create(
    extra_headers={"HTTP-Referer": "https://example.com", "X-Title": "Example"},
    extra_body={"provider": {"allow_fallbacks": True}, "usage": {"include": True}},
    model=model,
    messages=[{"role": "user", "content": "Say hello."}],
)
print("unary:", completion.choices[0].message.content, "USD", completion.usage.cost)

with client.chat.completions.stream(model=model, messages=[{"role": "user", "content": "Say hello."}]) as stream:
    for event in stream:
        if event.type == "content.delta":
            print(event.delta, end="", flush=True)
    print("\nusage:", stream.get_final_completion().usage.total_tokens, "tokens")

print("model:", client.models.retrieve(model).id)
