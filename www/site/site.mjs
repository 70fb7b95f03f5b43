// Puts this host into the tag, so that it can be pasted as it stands, and offers to copy it. Without this
// file the page says the same with a placeholder.

const code = document.querySelector(".tag code");
const button = document.querySelector(".tag button");
const host = code.querySelector("b");

if (location.host) {
  host.textContent = location.host;
  // What is served from this machine is not served over TLS.
  if (location.protocol === "http:") host.previousSibling.data = host.previousSibling.data.replace("https:", "http:");
}

if (navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = button.dataset.done;
  });
}
