# syntax=docker/dockerfile:1

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci

# What the simulator runs from: the sources and the tools to run them. Not for production.
FROM dependencies AS simulator
COPY tsconfig.json ./
COPY simulator ./simulator
USER node
EXPOSE 3005
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3005/_control').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Its control routes are open to whoever reaches the port: publish that on loopback only.
CMD ["node", "--import", "tsx", "simulator/main.ts", "--host", "0.0.0.0", "--open-control"]

FROM dependencies AS build
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

# The relay alone. Redis is not in here: set REDIS_URL.
FROM node:24-slim AS relay
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
RUN mkdir /data && chown node:node /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node as process 1 gets no default signal handling; the relay handles SIGTERM itself and starts no children in here.
CMD ["node", "dist/main.js", "start"]
