// The referral programme in Shopify's customer account and on its thank-you page: the customer's link, a
// button that copies it, and what came of it. Shopify's session token is exchanged for an identity token;
// nothing is shown to who is not logged in.

import "@shopify/ui-extensions/preact";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";

const translate = (key, values) => shopify.i18n.translate(key, values);

// A reward's value in words; amounts come in minor units.
function valueText({ kind, amount, currency, basis_points }) {
  if (currency) {
    const { maximumFractionDigits: digits } = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions();
    return shopify.i18n.formatCurrency(amount / 10 ** digits, { currency });
  }
  if (basis_points) return `${shopify.i18n.formatNumber(basis_points / 100)} %`;
  return translate(`value.${kind}`, { amount: amount ?? "" });
}

async function ask(url, request) {
  const answer = await fetch(url, request);
  const body = await answer.json();
  // The detail is for the developer who reads the console, not for the customer.
  if (!answer.ok) throw Object.assign(new Error(body.detail), { status: answer.status, code: body.code });
  return body;
}

async function load() {
  const { host, program } = shopify.settings.value;
  if (!host || !program) return null;
  const authorization = (token) => ({ headers: { authorization: `Bearer ${token}` } });
  const session = await shopify.sessionToken.get();
  const { token } = await ask(`https://${host}/v1/identity/shopify/${program}`, { method: "POST", ...authorization(session) });
  return ask(`https://${host}/v1/me`, authorization(token));
}

function Referral() {
  const [me, setMe] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    load().then(setMe, (error) => {
      if (error.code === "not_logged_in") return;
      console.error("passalong", error);
      setFailed(true);
    });
  }, []);
  if (failed) return <s-text>{translate("failed")}</s-text>;
  if (!me) return null;
  return (
    <s-section heading={translate("heading")}>
      <s-stack direction="block" gap="base">
        <s-text>{me.link}</s-text>
        <s-clipboard-item id="passalong-link" text={me.link} />
        <s-button variant="primary" commandFor="passalong-link" command="--copy">
          {translate("copy")}
        </s-button>
        <s-text>{translate("totals", { clicks: count(me.totals.clicks), purchases: me.totals.purchases })}</s-text>
        {me.referrals.map(({ number, reward }) => (
          <s-text key={number}>
            {translate(`status.${reward.status}`, {
              number,
              value: valueText(reward.value),
              until: reward.until ? shopify.i18n.formatDate(new Date(reward.until)) : "",
            })}
          </s-text>
        ))}
      </s-stack>
    </s-section>
  );
}

const count = (clicks) => (typeof clicks === "object" ? `${clicks.more_than}+` : clicks);

export default async () => {
  render(<Referral />, document.body);
};
