// Passkeys: asks the browser, puts the answer into the form, sends the form. Nothing is kept here.
const form = document.querySelector("form[data-passkey]");
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function make(data) {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: bytes(data.challenge),
      rp: { id: data.rp, name: "Patchward" },
      user: { id: new TextEncoder().encode(data.user), name: data.login, displayName: data.name },
      pubKeyCredParams: data.kinds.split(",").map((alg) => ({ type: "public-key", alg: Number(alg) })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none",
    },
  });
  const { response } = made;
  return {
    id: made.rawId,
    client: response.clientDataJSON,
    authenticator: response.getAuthenticatorData(),
    key: response.getPublicKey(),
  };
}

async function ask(data) {
  const got = await navigator.credentials.get({
    publicKey: { challenge: bytes(data.challenge), rpId: data.rp, userVerification: "required" },
  });
  const { response } = got;
  return {
    id: got.rawId,
    client: response.clientDataJSON,
    authenticator: response.authenticatorData,
    signature: response.signature,
  };
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = form.querySelector(".wrong");
    wrong.hidden = true;
    try {
      const answer = await (form.dataset.passkey === "create" ? make : ask)(form.dataset);
      for (const [name, value] of Object.entries(answer)) form.elements[name].value = text(value);
      form.submit();
    } catch {
      wrong.textContent = form.dataset.failed;
      wrong.hidden = false;
    }
  });
}
