// A certified OpenID provider (oidc-provider) that misbehaves on command, for app/accounts/tests/test_oidc*.py.
//
// It signs everybody in without a page, as the subject that `/_control` names. `/_mint` signs any token with any key.
// The first line on stdout is its address. Arguments: redirect URI, client id, client secret.
import { createServer } from "node:http";
import { createSecretKey } from "node:crypto";
import { SignJWT, decodeJwt, decodeProtectedHeader, exportJWK, exportSPKI, generateKeyPair } from "jose";
import Provider from "oidc-provider";

const [redirectUri, clientId, clientSecret] = process.argv.slice(2);
const signing = await generateKeyPair("RS256", { extractable: true });
const foreign = await generateKeyPair("RS256", { extractable: true });
const jwk = { ...(await exportJWK(signing.privateKey)), kid: "signing", alg: "RS256", use: "sig" };
const publicPem = new TextEncoder().encode(await exportSPKI(signing.publicKey));

const HONEST = {
    subject: "ada", person: {}, pkce: true,
    claims: null, header: null, key: "signing", // of the ID token
    userinfo: null, // claims that go over the honest ones
    answers: {}, // path: {status, type, body, headers, bytes}
    hang: [], // paths that are never answered
    rotated: false, // its key is called "rotated" from now on
};
let control = structuredClone(HONEST);
const asked = {};

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

async function mint({ header, claims, key }) {
    const head = { alg: "RS256", kid: "signing", ...header };
    if (key === "none") return `${base64({ ...head, alg: "none" })}.${base64(claims)}.`;
    if (key === "signature-cut") return (await mint({ header, claims, key: "signing" })).split(".").slice(0, 2).join(".") + ".";
    const secrets = { "public-pem": publicPem, "client-secret": new TextEncoder().encode(clientSecret) };
    if (key in secrets)
        return new SignJWT(claims).setProtectedHeader({ ...head, alg: "HS256" }).sign(createSecretKey(secrets[key]));
    const pair = key === "foreign" ? foreign : signing;
    return new SignJWT(claims).setProtectedHeader(head).sign(pair.privateKey);
}

async function bend(token) {
    const claims = { ...decodeJwt(token), ...control.claims };
    for (const [name, value] of Object.entries(claims)) if (value === null) delete claims[name];
    return mint({ header: { ...decodeProtectedHeader(token), ...control.header }, claims, key: control.key });
}

function provider(issuer) {
    const made = new Provider(issuer, {
        clients: [
            {
                client_id: clientId,
                client_secret: clientSecret,
                redirect_uris: [redirectUri],
                post_logout_redirect_uris: [new URL("/accounts/sign-in", redirectUri).href],
            },
        ],
        jwks: { keys: [jwk] },
        cookies: { keys: ["only for tests"] },
        claims: { openid: ["sub", "sid"], email: ["email", "email_verified"], profile: ["name", "groups"] },
        conformIdTokenClaims: false, // claims in the ID token too, as most providers do
        pkce: { required: () => control.pkce },
        features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
        findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...control.person }) }),
        interactions: { url: (_, interaction) => `/_interaction/${interaction.uid}` },
    });
    made.use(async (ctx, next) => {
        await next();
        if (ctx.path === "/token" && ctx.body?.id_token && (control.claims || control.header || control.key !== "signing"))
            ctx.body.id_token = await bend(ctx.body.id_token);
        if (ctx.path === "/jwks" && control.rotated) ctx.body = { keys: ctx.body.keys.map((key) => ({ ...key, kid: "rotated" })) };
        if (ctx.path === "/me" && control.userinfo) ctx.body = { ...ctx.body, ...control.userinfo };
    });
    return made;
}

async function signIn(oidc, request, response) {
    const { params } = await oidc.interactionDetails(request, response);
    const grant = new oidc.Grant({ accountId: control.subject, clientId: params.client_id });
    grant.addOIDCScope("openid email profile");
    const result = { login: { accountId: control.subject }, consent: { grantId: await grant.save() } };
    await oidc.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function body(request) {
    const parts = [];
    for await (const part of request) parts.push(part);
    return JSON.parse(Buffer.concat(parts).toString() || "{}");
}

function send(response, value) {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function sendInstead(response, { status = 200, type = "application/json", body = "", headers = {}, bytes = 0 }) {
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(bytes ? Buffer.alloc(bytes, " ") : body);
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const oidc = provider(issuer);
    const honest = oidc.callback();
    server.on("request", async (request, response) => {
        const path = new URL(request.url, issuer).pathname;
        try {
            asked[path] = (asked[path] ?? 0) + 1;
            if (path === "/_control") {
                control = { ...structuredClone(HONEST), ...(await body(request)) };
                for (const name of Object.keys(asked)) delete asked[name];
                send(response, {});
            } else if (path === "/_asked") send(response, asked);
            else if (path === "/_mint") send(response, { token: await mint(await body(request)) });
            else if (control.hang.includes(path)) return;
            else if (path in control.answers) sendInstead(response, control.answers[path]);
            else if (path.startsWith("/_interaction/")) await signIn(oidc, request, response);
            else honest(request, response);
        } catch (error) {
            console.error(error);
            response.writeHead(500).end();
        }
    });
    console.log(issuer);
});
