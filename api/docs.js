// Shows openapi.yaml. The key typed under "Authorize" stays in this tab.
window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  showExtensions: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
