// Asks a gateway one thing with the official Node SDK: `node ask.mjs BASE_URL WHAT`. Prints what came of it as JSON.
import OpenAI from "openai";

const [baseURL, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: what === "retried" ? 2 : 0 });
const model = "auto";
const messages = [{ role: "user", content: "Say hello." }];

const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: {
        type: "object",
        properties: { city: { type: "string", enum: ["Paris", "Rome"] } },
        required: ["city"],
        additionalProperties: false,
      },
    },
  },
];

const schema = {
  type: "object",
  properties: { city: { enum: ["日本語", "👩‍🚀"] }, large: { type: "boolean" } },
  required: ["city", "large"],
  additionalProperties: false,
};

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

async function failure(asking) {
  try {
    await asking;
    return null;
  } catch (error) {
    const { constructor, status, code, param, type, requestID } = error;
    return { class: constructor.name, status, code, param, type, requestID };
  }
}

const asks = {
  chat: () => client.chat.completions.create({ model, messages, max_completion_tokens: 8 }),
  retried: () => client.chat.completions.create({ model, messages }),
  stream: async () =>
    all(
      await client.chat.completions.create({
        model,
        messages,
        max_tokens: 8,
        stream: true,
        stream_options: { include_usage: true },
      }),
    ),
  helper: () => client.chat.completions.stream({ model, messages, max_tokens: 8, temperature: 0 }).finalContent(),
  left: async () => {
    const stream = await client.chat.completions.create({ model, messages, max_tokens: 2000, stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    return stream.controller.signal.aborted;
  },
  tools: () =>
    client.chat.completions.create({
      model,
      messages,
      tools,
      tool_choice: { type: "function", function: { name: "get_weather" } },
      max_tokens: 60,
    }),
  streamed_tools: () =>
    client.chat.completions
      .stream({ model, messages, tools, tool_choice: "required", max_tokens: 60 })
      .finalChatCompletion(),
  schema: () =>
    client.chat.completions.create({
      model,
      messages,
      response_format: { type: "json_schema", json_schema: { name: "city", strict: true, schema } },
      max_tokens: 60,
    }),
  completion: () => client.completions.create({ model, prompt: "The capital of France is", max_tokens: 4, temperature: 0 }),
  embeddings: async () => ({
    packed: await client.embeddings.create({ model: "wordllama-256", input: ["a cat", "a dog"] }),
    plain: await client.embeddings.create({ model: "wordllama-256", input: "a cat", encoding_format: "float" }),
  }),
  models: async () => ({ listed: await all(client.models.list()), retrieved: await client.models.retrieve(model) }),
  errors: async () => ({
    bad: await failure(client.chat.completions.create({ model, messages: [] })),
    unknown: await failure(client.chat.completions.create({ model: "gpt-17", messages })),
    streamed: await failure(client.chat.completions.create({ model, messages, temperature: 9, stream: true })),
    elsewhere: await failure(client.images.generate({ prompt: "a cat" })),
  }),
};

console.log(JSON.stringify(await asks[what]()));
