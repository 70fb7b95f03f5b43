// Carries a referral through the shop: `pa` from the page's address into forms and onto the shop's own links.
// It happens here and not on the server so that pages can be cached for everybody. Nothing is stored.

const pa = new URLSearchParams(location.search).get("pa");

if (pa) {
  for (const field of document.querySelectorAll('input[name="pa"]')) field.value = pa;

  for (const link of document.querySelectorAll("a[href]")) {
    const url = new URL(link.href);
    if (url.origin !== location.origin || link.getAttribute("href").startsWith("#")) continue;
    url.searchParams.set("pa", pa);
    link.href = url;
  }
}
