// The least a Worker can do: what every request costs before anybody thinks about it.

export default {
  fetch: () => new Response("hello"),
};
