# Three roles with the least that their commands need.

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    effect  = length(var.principals[each.key]) > 0 ? "Allow" : "Deny"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = length(var.principals[each.key]) > 0 ? var.principals[each.key] : ["*"]
    }

    dynamic "condition" {
      for_each = each.key == "steward" && var.steward_needs_mfa ? [1] : []
      content {
        test     = "Bool"
        variable = "aws:MultiFactorAuthPresent"
        values   = ["true"]
      }
    }
  }
}

resource "aws_iam_role" "lake" {
  for_each = local.roles

  name                 = "${var.name}-${each.key}"
  description          = "${each.key} of the lakes in ${var.bucket}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = each.key == "steward" ? 3600 : 43200
  tags                 = var.tags
}

resource "aws_iam_role_policy" "lake" {
  for_each = local.roles

  name   = "lake"
  role   = aws_iam_role.lake[each.key].id
  policy = local.policies[each.key]
}

data "aws_iam_policy_document" "key" {
  for_each = var.kms_key_arn == null ? [] : local.roles

  statement {
    actions   = each.key == "reader" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role_policy" "key" {
  for_each = var.kms_key_arn == null ? [] : local.roles

  name   = "key"
  role   = aws_iam_role.lake[each.key].id
  policy = data.aws_iam_policy_document.key[each.key].json
}
